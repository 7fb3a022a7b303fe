"""projected: several sources in one folder; above all the service account token that every pod gets."""

from pathlib import Path

from steersman.kubelet.certificates.pod_certificates import NotIssued
from steersman.kubelet.volumes import downward_api, items, payload, tmpfs, trust_bundles
from steersman.kubelet.volumes.payload import File
from steersman.kubelet.volumes.volume import Context, MountError
from steersman.meta import times
from steersman.meta.objects import Object

REFRESHED = True

TOKEN_SECONDS = 3600
TOKEN_SECONDS_LEAST = 600
TOKEN_MODE = 0o600


async def set_up(name: str, source: Object, context: Context) -> Path:
    default_mode = source.get("defaultMode", items.DEFAULT_MODE)
    files: dict[str, File] = {}
    for index, one in enumerate(source.get("sources") or []):
        if one.get("podCertificate"):
            files.update(_certificate(one["podCertificate"], (name, index), default_mode, context))
        else:
            files.update(await _files_of(one, default_mode, context))
    folder = context.folder("projected", name)
    tmpfs.mount_if_possible(folder)
    payload.write(folder, files, stamp=times.format_micros(context.now), group=context.fs_group)
    return folder


async def _files_of(source: Object, default_mode: int, context: Context) -> dict[str, File]:
    if source.get("configMap"):
        one = source["configMap"]
        return await items.files_of("ConfigMap", one, one.get("name", ""), default_mode, context)
    if source.get("secret"):
        one = source["secret"]
        return await items.files_of("Secret", one, one.get("name", ""), default_mode, context)
    if source.get("downwardAPI"):
        return downward_api.files_of(source["downwardAPI"], default_mode, context)
    if source.get("clusterTrustBundle"):
        return await trust_bundles.files_of(source["clusterTrustBundle"], default_mode, context)
    if source.get("serviceAccountToken"):
        return await _token(source["serviceAccountToken"], default_mode, context)
    return {}


async def _token(source: Object, default_mode: int, context: Context) -> dict[str, File]:
    """Readable, as a pod's key, by the user that all containers run as, or by the fsGroup, or (neither) by all, as upstream."""
    seconds = max(int(source.get("expirationSeconds") or TOKEN_SECONDS), TOKEN_SECONDS_LEAST)
    token = await context.references.token(context.pod, source.get("audience") or "", seconds)
    return {source["path"]: _secret(token.text.encode(), default_mode, context)}


def _certificate(source: Object, place: tuple[str, int], default_mode: int, context: Context) -> dict[str, File]:
    """Key and certificates in one file, or one each. Raises MountError."""
    if context.certificates is None:
        raise MountError("unimplemented")
    try:
        key, chain = context.certificates.bundle(context.pod, *place, source)
    except NotIssued as why:
        raise MountError(str(why)) from why
    texts = {"credentialBundlePath": key + chain, "keyPath": key, "certificateChainPath": chain}
    return {source[field]: _secret(text, default_mode, context) for field, text in texts.items() if source.get(field)}


def _secret(text: bytes, default_mode: int, context: Context) -> File:
    user = _only_user(context.pod)
    is_for_one = user is not None or context.fs_group is not None
    return File(text, TOKEN_MODE if is_for_one else default_mode, user)


def _only_user(pod: Object) -> int | None:
    spec = pod["spec"]
    of_pod = (spec.get("securityContext") or {}).get("runAsUser")
    users = {
        (one.get("securityContext") or {}).get("runAsUser", of_pod)
        for one in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    }
    return users.pop() if len(users) == 1 else None
