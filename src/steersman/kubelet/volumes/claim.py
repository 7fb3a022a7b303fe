"""persistentVolumeClaim and ephemeral: the volume that a claim is bound to, set up as what it is.

Leaves to others: binding (controllers), attaching (attach_detach). The texts are upstream's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from steersman.api import local_path, volumes
from steersman.kubelet.volumes import host_path, nfs, ownership
from steersman.kubelet.volumes.volume import Context, MountError, UnavailableError
from steersman.meta import node_selectors, objects, owners
from steersman.meta.objects import Object

REFRESHED = False

SetUp = Callable[[Object, Context], Awaitable[Path]]


async def set_up(name: str, source: Object, context: Context) -> Path:
    claim, volume = await resolve(name, context)
    kind = volumes.source_of(volume)
    found = TYPES.get(kind)
    if found is None:
        raise MountError(f"no volume plugin matched {kind}")
    _check_mode(name, volumes.mode_of(volume), context)
    try:
        path = await found(volume, context)
        if kind == "csi" and context.csi is not None:
            await context.csi.grow(claim, volume, context)
        return path
    except UnavailableError:
        raise
    except (MountError, OSError) as failure:
        text = f'MountVolume.SetUp failed for volume "{objects.name(volume)}" : {failure}'
        raise UnavailableError(text) from failure


async def refresh(name: str, context: Context) -> None:
    """Raises as `set_up`."""
    claim, volume = await resolve(name, context)
    if context.csi is not None and volumes.source_of(volume) == "csi":
        await context.csi.refresh(claim, volume, context, read_only=_is_read_only(volume, context))


async def resolve(name: str, context: Context) -> tuple[Object, Object]:
    """The claim of the pod's volume `name`, and its volume. Raises UnavailableError, references.Unavailable."""
    listed = next(one for one in context.pod["spec"]["volumes"] if one["name"] == name)
    key = f"{context.namespace}/{volumes.claim_name(context.pod, listed)}"
    claim = await context.references.get("PersistentVolumeClaim", *objects.split_key(key))
    if claim is None:
        why = f'failed to fetch PVC from API server: persistentvolumeclaims "{objects.split_key(key)[1]}" not found'
        raise _not_ready(name, key, why)
    if listed.get("ephemeral") is not None and not owners.is_controlled_by(claim, context.pod):
        why = f"PVC {key} was not created for pod {objects.key(context.pod)} (pod is not owner)"
        raise _not_ready(name, key, why)
    if objects.is_terminating(claim) and not _is_needed(context):
        raise _not_ready(name, key, f"can't start pod because PVC {key} is being deleted")
    bound = claim["spec"].get("volumeName")
    if not bound or (claim.get("status") or {}).get("phase") != "Bound":
        raise _not_ready(name, key, "PVC is not bound")
    volume = await context.references.get("PersistentVolume", "", bound)
    if volume is None:
        raise _not_ready(
            name, key, f'failed to fetch PV {bound} from API server: persistentvolumes "{bound}" not found'
        )
    if volumes.claim_of(volume).get("uid") != objects.uid(claim):
        why = f"PV.Spec.ClaimRef.UID {volumes.claim_of(volume).get('uid', '')} does not match PVC UID {objects.uid(claim)}"
        raise _not_ready(name, key, why)
    _check_node(volume, context)
    return claim, volume


def _check_mode(name: str, mode: str, context: Context) -> None:
    """A device cannot be mounted, and a folder is no device."""
    field, word = ("volumeMounts", "Block") if mode == "Block" else ("volumeDevices", "Filesystem")
    spec = context.pod["spec"]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        if any(one["name"] == name for one in container.get(field) or ()):
            raise UnavailableError(f"volume {name} has volumeMode {word}, but is specified in {field}")


def _not_ready(name: str, key: str, why: str) -> UnavailableError:
    return UnavailableError(
        f"Unable to attach or mount volumes: unmounted volumes=[{name}], unattached volumes=[], failed to process "
        f"volumes=[{name}]: error processing PVC {key}: {why}"
    )


def _is_needed(context: Context) -> bool:
    """A pod that was started before its claim was deleted keeps it, also when its kubelet starts again."""
    return bool((context.pod.get("status") or {}).get("startTime"))


def _check_node(volume: Object, context: Context) -> None:
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    if not context.node_name or node_selectors.matches(required, context.node_name, context.labels):
        return
    name = objects.name(volume)
    raise UnavailableError(f'MountVolume.NodeAffinity check failed for volume "{name}" : no matching NodeSelectorTerms')


async def _host_path(volume: Object, context: Context) -> Path:
    if local_path.is_ours(volume):
        _make_own_folder(Path(volume["spec"]["hostPath"]["path"]))
    return await host_path.set_up(objects.name(volume), volume["spec"]["hostPath"], context)


async def _local(volume: Object, context: Context) -> Path:
    path = Path(volume["spec"]["local"]["path"])
    if local_path.is_ours(volume):
        _make_own_folder(path)
    is_block = volumes.mode_of(volume) == "Block"
    await context.ask(f"local {is_block} {path}", lambda: _check_local(path, is_block))
    if is_block:
        return path
    if context.fs_group is not None:
        options = {"on_mismatch_only": context.changes_on_mismatch_only}
        await asyncio.to_thread(lambda: ownership.give(path, context.fs_group or 0, **options))
    return path


def _check_local(path: Path, is_block: bool) -> None:
    """Raises MountError."""
    if not path.exists():
        raise MountError(f'path "{path}" does not exist')
    if is_block and not path.is_block_device():
        raise MountError(f'path "{path}" is not a block device')
    if not is_block and not path.is_dir():
        raise MountError(f'path "{path}" is not a directory')


def _make_own_folder(path: Path) -> None:
    """Open to every user, as its provisioner makes it: which user the pod has is the pod's affair."""
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(0o777)


async def _nfs(volume: Object, context: Context) -> Path:
    return await nfs.mounted(objects.name(volume), volume["spec"]["nfs"], mount_options(volume), context)


def mount_options(volume: Object) -> tuple[str, ...]:
    """Of the volume; what an annotation of older times says comes first."""
    older = objects.annotations(volume).get(volumes.MOUNT_OPTIONS, "")
    return tuple(dict.fromkeys([*filter(None, older.split(",")), *(volume["spec"].get("mountOptions") or ())]))


async def _csi(volume: Object, context: Context) -> Path:
    if context.csi is None:
        raise MountError("no volume plugin matched csi")
    return await context.csi.set_up(volume, context, read_only=_is_read_only(volume, context))


def _is_read_only(volume: Object, context: Context) -> bool:
    """As the pod uses the claim."""
    name = volumes.claim_of(volume).get("name")
    sources = (one.get("persistentVolumeClaim") or {} for one in context.pod["spec"].get("volumes") or ())
    return any(one.get("claimName") == name and one.get("readOnly") for one in sources)


TYPES: dict[str, SetUp] = {"hostPath": _host_path, "local": _local, "nfs": _nfs, "csi": _csi}
