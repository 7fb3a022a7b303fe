"""ServiceAccount: every pod runs as an account and finds that account's token, the CA and its namespace mounted.

Reads: ServiceAccounts. Source: "Managing Service Accounts", bound token volumes.
"""

from steersman.aio import clock as clocks
from steersman.api import kinds, pod_references
from steersman.api.kind import Kind
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
TOKEN_SECONDS = 3607  # upstream's: an hour, and recognisable as nobody's own wish
MIRROR = "kubernetes.io/config.mirror"

# A namespace that was just made has no default account yet: wait for the controller instead of refusing the first pod.
WAIT_STEPS = 50
WAIT_STEP_SECONDS = 0.02


class ServiceAccounts(Plugin):
    name = "ServiceAccount"

    def __init__(self, objects: decoded.DecodedObjects, clock: clocks.Clock) -> None:
        self._objects = objects
        self._clock = clock

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.POD and not subresource and operation == "CREATE"

    async def mutate(self, review: Review) -> bool:
        """Raises StatusError 403 when the account is not there."""
        call, pod = review.call, review.new
        if MIRROR in (pod["metadata"].get("annotations") or {}):
            _check_mirror(pod)
            return False
        spec = pod.setdefault("spec", {})
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = await self._account(call, pod, name)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(reference) for reference in account["imagePullSecrets"]]
        if _wants_token(spec, account):
            _mount_token(spec, VOLUME_PREFIX + self._clock.suffix())
        return True

    async def _account(self, call: Call, pod: Object, name: str) -> Object:
        namespace = call.target.namespace
        for step in range(WAIT_STEPS if name == "default" else 1):
            if step:
                await self._clock.sleep(WAIT_STEP_SECONDS)
            account = await self._objects.get(kinds.SERVICE_ACCOUNT, namespace, name)
            if account is not None:
                return account
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise errors.forbidden("pods", pod["metadata"].get("name", ""), why)


def _check_mirror(pod: Object) -> None:
    """What shows a static pod stays as its kubelet made it, and leads to nothing that is secret. Raises StatusError 403."""
    spec = pod.get("spec") or {}
    sources = (
        one for volume in spec.get("volumes") or () for one in (volume.get("projected") or {}).get("sources") or ()
    )
    why = ""
    if spec.get("serviceAccountName"):
        why = "a mirror pod may not reference service accounts"
    elif any(pod_references.secrets(pod)):
        why = "a mirror pod may not reference secrets"
    elif any(source.get("serviceAccountToken") is not None for source in sources):
        why = "a mirror pod may not use service account token volume projections"
    if why:
        raise errors.forbidden("pods", pod["metadata"].get("name", ""), why)


def _wants_token(spec: Object, account: Object) -> bool:
    of_pod = spec.get("automountServiceAccountToken")
    return bool(account.get("automountServiceAccountToken", True) if of_pod is None else of_pod)


def _mount_token(spec: Object, volume: str) -> None:
    existing = next(
        (one.get("name", "") for one in spec.get("volumes") or () if one.get("name", "").startswith(VOLUME_PREFIX)), ""
    )
    volume = existing or volume
    mounted = False
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            mounts = container.get("volumeMounts") or []
            if any(mount.get("mountPath") == MOUNT_PATH for mount in mounts):
                continue
            mount = {"name": volume, "readOnly": True, "mountPath": MOUNT_PATH}
            container["volumeMounts"] = [*mounts, mount]
            mounted = True
    if mounted and not existing:
        spec["volumes"] = [*(spec.get("volumes") or ()), _token_volume(volume)]


def _token_volume(name: str) -> Object:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}
