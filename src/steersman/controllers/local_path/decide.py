"""Make volumes of the built-in class: a folder on the node that the scheduler chose for the claim's pod.

Keeps true: a claim that waits for `rancher.io/local-path` gets a volume bound to its node; a released one is deleted, and goes
when its node has removed the folder.
Reads: PersistentVolumeClaim, StorageClass, Node, PersistentVolume.  Writes: PersistentVolumes (create, delete, the finalizer that
stands for the folder), the class `local-path` at the start, a claim's node where that is gone, its wishes into Nodes.
Leaves to others: the folder itself (the kubelet of the node makes it, and removes it when the Node says so).
"""

import dataclasses

from steersman.api import kinds, local_path, volumes
from steersman.controllers import decision
from steersman.controllers.decision import Create, Decision, Emit, Patch
from steersman.meta import objects
from steersman.meta.objects import Object

_MODES = frozenset(("ReadWriteOnce", "ReadWriteOncePod"))
_ONLY_MODES = "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes"


@dataclasses.dataclass(frozen=True, slots=True)
class SeenStart:
    """`storage_class`: what there is of the name."""

    storage_class: Object | None


@dataclasses.dataclass(frozen=True, slots=True)
class SeenClaim:
    """`node`: the one the scheduler chose, None when it is not there. `volume`: the one that was made for the claim."""

    claim: Object
    storage_class: Object | None
    node: Object | None = None
    volume: Object | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class SeenVolume:
    """`volume`: None when it is gone. `node`: the volume's, or the one that was asked to remove its folder; None without."""

    name: str
    volume: Object | None
    node: Object | None


def decide(seen: SeenStart | SeenClaim | SeenVolume) -> Decision:
    match seen:
        case SeenStart():
            if seen.storage_class is not None:
                return Decision(why="the class is there")
            return Decision((Create(kinds.STORAGE_CLASS, local_path.storage_class()),), "no class yet")
        case SeenClaim():
            return _claim(seen)
        case SeenVolume():
            return _volume(seen)


def volume_name(claim: Object) -> str:
    return f"pvc-{objects.uid(claim)}"


def _claim(seen: SeenClaim) -> Decision:
    claim, chosen = seen.claim, objects.annotations(seen.claim).get(volumes.SELECTED_NODE, "")
    if seen.volume is not None or seen.storage_class is None or objects.is_terminating(claim):
        return Decision(why="nothing to make")
    if why := _refusal(claim, chosen):
        return _failed(claim, why)
    if seen.node is None:
        body = {"metadata": {"annotations": {volumes.SELECTED_NODE: None}}}
        told = Emit(claim, "Warning", "ProvisioningFailed", f'failed to get target node: nodes "{chosen}" not found')
        return Decision((decision.patch(kinds.PERSISTENT_VOLUME_CLAIM, claim, body), told), "the chosen node is gone")
    begun = f'External provisioner is provisioning volume for claim "{objects.key(claim)}"'
    done = Emit(claim, "Normal", "ProvisioningSucceeded", "Successfully provisioned volume {name}")
    made = Create(kinds.PERSISTENT_VOLUME, _new(claim, seen.storage_class, seen.node), done, _refused(claim, "{error}"))
    return Decision((Emit(claim, "Normal", "Provisioning", begun), made), f"a folder on {chosen}")


def _refusal(claim: Object, node: str) -> str:
    if claim["spec"].get("dataSource") is not None or claim["spec"].get("dataSourceRef") is not None:
        return "a volume of local-path cannot be filled from a data source"
    if claim["spec"].get("selector") is not None:
        return "claim.Spec.Selector is not supported"
    if volumes.mode_of(claim) == "Block":
        return f"{local_path.PROVISIONER} does not support block volume provisioning"
    if not set(volumes.access_modes(claim)) <= _MODES:
        return _ONLY_MODES
    return "" if node else "configuration error, no node was specified"


def _volume(seen: SeenVolume) -> Decision:
    volume = seen.volume
    if volume is None or not objects.is_terminating(volume):
        settled = _forget(seen)
        if settled is not None:
            return settled
    if volume is None:
        return Decision(why="gone")
    if objects.is_terminating(volume):
        return _going(volume, seen)
    phase, policy = (volume.get("status") or {}).get("phase"), volume["spec"].get("persistentVolumeReclaimPolicy")
    if phase == "Released" and policy == "Delete":
        return Decision((decision.delete(kinds.PERSISTENT_VOLUME, volume),), "released")
    return Decision(why="in use")


def _forget(seen: SeenVolume) -> Decision | None:
    """A wish whose volume is gone, or is a later one of the name."""
    if seen.node is None or seen.name not in local_path.wishes(seen.node):
        return None
    return Decision((_on_node(seen.node, local_path.wish(seen.name, None)),), "its folder is gone")


def _going(volume: Object, seen: SeenVolume) -> Decision:
    finalizers = volume["metadata"].get("finalizers") or []
    if local_path.FINALIZER not in finalizers:
        return Decision(why="its folder is gone")
    if volumes.VOLUME_PROTECTION in finalizers:
        return Decision(why="others have a say in it")
    if seen.node is None:
        return _let_go(volume, "its node is gone, and the data with it")
    if volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
        return _let_go(volume, "its folder stays")
    if why := local_path.refusal(volume, seen.node):
        return Decision((Emit(volume, "Warning", "VolumeFailedDelete", why),), "a folder of somebody else")
    answer = local_path.wishes(seen.node).get(seen.name)
    if answer == local_path.DONE:
        return _let_go(volume, "its folder is gone")
    if answer is None:
        asked = _on_node(seen.node, local_path.wish(seen.name, local_path.WISHED))
        return Decision((asked,), "its node removes the folder")
    if answer.startswith(local_path.FAILED):
        told = Emit(volume, "Warning", "VolumeFailedDelete", answer.removeprefix(local_path.FAILED))
        return Decision((told,), "its node tries again")
    return Decision(why="its node removes the folder")


def _let_go(volume: Object, why: str) -> Decision:
    left = [one for one in volume["metadata"]["finalizers"] if one != local_path.FINALIZER]
    body = {"metadata": {"finalizers": left or None}}
    return Decision((decision.patch(kinds.PERSISTENT_VOLUME, volume, body),), why)


def _on_node(node: Object, body: Object) -> Patch:
    """Whatever else of the node changes meanwhile: its heartbeats do all the time."""
    return Patch(kinds.NODE, objects.name(node), "", body, uid=objects.uid(node))


def _new(claim: Object, storage_class: Object, node: Object) -> Object:
    name, of_node = volume_name(claim), objects.name(node)
    root = objects.annotations(node).get(local_path.ROOT, local_path.DEFAULT_ROOT)
    path = f"{root}/{name}_{objects.namespace(claim)}_{objects.name(claim)}"
    host_name = objects.labels(node).get("kubernetes.io/hostname", of_node)
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [host_name]}]}
    spec: Object = {
        "accessModes": volumes.access_modes(claim),
        "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
        "claimRef": volumes.reference(claim),
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
        "storageClassName": volumes.class_of(claim),
        "volumeMode": "Filesystem",
    }
    if _volume_type(claim, storage_class) == "hostPath":
        spec["hostPath"] = {"path": path, "type": "DirectoryOrCreate"}
    else:
        spec["local"] = {"path": path}
    if storage_class.get("mountOptions"):
        spec["mountOptions"] = storage_class["mountOptions"]
    meta = {
        "name": name,
        "labels": {local_path.NODE: of_node},
        "annotations": {volumes.PROVISIONED_BY: local_path.PROVISIONER, local_path.SELECTED_NODE: of_node},
        "finalizers": [local_path.FINALIZER],
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}


def _volume_type(claim: Object, storage_class: Object) -> str:
    default = objects.annotations(storage_class).get(local_path.DEFAULT_VOLUME_TYPE, "local")
    return str(objects.annotations(claim).get(local_path.VOLUME_TYPE, default))


def _failed(claim: Object, why: str) -> Decision:
    return Decision((_refused(claim, why),), why)


def _refused(claim: Object, why: str) -> Emit:
    text = f'failed to provision volume with StorageClass "{volumes.class_of(claim)}": {why}'
    return Emit(claim, "Warning", "ProvisioningFailed", text)
