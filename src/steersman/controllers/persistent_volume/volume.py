"""What becomes of one volume: available, bound, released, and then what its reclaim policy says."""

import dataclasses
import datetime
import re

from steersman.api import kinds, volumes
from steersman.controllers import decision
from steersman.controllers.decision import Action, Create, Decision, Emit
from steersman.controllers.persistent_volume import binding, recycler
from steersman.meta import objects
from steersman.meta.objects import Object

_RELEASED = ("Released", "Failed")  # a failure stays to be seen, while reclaiming is tried again
_OTHERS_TO_DELETE = "no deletable volume plugin matched"

_is_scratch = re.compile("/tmp/.+").fullmatch  # what the deleter of host paths dares to remove


@dataclasses.dataclass(frozen=True, slots=True)
class SeenVolume:
    """`claim`: the one of the name in `spec.claimRef`, as the API server has it now. `recycler`: the pod that empties the
    volume, when there is one."""

    volume: Object
    now: datetime.datetime
    claim: Object | None = None
    recycler: Object | None = None


def decide(seen: SeenVolume) -> Decision:
    volume, reference = seen.volume, volumes.claim_of(seen.volume)
    if not reference.get("uid"):
        why = "set aside for a claim" if reference else "not claimed"
        return Decision(binding.volume_phase(volume, "Available", seen.now), why)
    claim = seen.claim
    if claim is None or objects.uid(claim) != reference["uid"]:
        return _reclaim(seen, "its claim is gone")
    named = claim["spec"].get("volumeName")
    if not named:
        return Decision(why="its claim is told")  # by the claim's own key, which this volume's changes wake
    if named == objects.name(volume):
        return Decision(binding.volume_phase(volume, "Bound", seen.now), "bound")
    if volumes.PROVISIONED_BY in objects.annotations(volume) and _policy(volume) == "Delete":
        return _reclaim(seen, "made for a claim that has another volume now")
    return Decision(binding.unbind(volume, seen.now), "its claim has another volume")


def _reclaim(seen: SeenVolume, why: str) -> Decision:
    volume = seen.volume
    released: tuple[Action, ...] = ()
    if (volume.get("status") or {}).get("phase") not in _RELEASED:
        released = binding.volume_phase(volume, "Released", seen.now)
        return Decision(released, why)
    match _policy(volume):
        case "Retain":
            return Decision(why=f"{why}: kept")
        case "Recycle":
            return _recycle(seen)
        case "Delete":
            return _delete(seen)
    return _failed(seen, "VolumeUnknownReclaimPolicy", "Volume has unrecognized PersistentVolumeReclaimPolicy")


def _delete(seen: SeenVolume) -> Decision:
    """Who made the volume deletes it, and then the object; of those made by hand only scratch folders can be deleted."""
    volume = seen.volume
    if objects.is_terminating(volume):
        return Decision(why="being deleted")
    provisioner = objects.annotations(volume).get(volumes.PROVISIONED_BY, "")
    if provisioner and not provisioner.startswith("kubernetes.io/"):
        return Decision(why=f"{provisioner} deletes it")
    path = (volume["spec"].get("hostPath") or {}).get("path")
    if path is None:
        text = f'error getting deleter volume plugin for volume "{objects.name(volume)}": {_OTHERS_TO_DELETE}'
        return _failed(seen, "VolumeFailedDelete", text)
    if not _is_scratch(path):
        text = f"host_path deleter only supports /tmp/.+ but received provided {path}"
        return _failed(seen, "VolumeFailedDelete", text)
    return Decision((decision.delete(kinds.PERSISTENT_VOLUME, volume),), "its scratch folder is not needed any more")


def _recycle(seen: SeenVolume) -> Decision:
    volume, pod = seen.volume, seen.recycler
    if not recycler.can_recycle(volume):
        return _failed(seen, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
    if pod is None:
        return Decision((Create(kinds.POD, recycler.pod(volume)),), "a pod empties it")
    done, failure = recycler.outcome(pod)
    if failure:
        return dataclasses.replace(_failed(seen, "VolumeFailedRecycle", f"Recycle failed: {failure}"))
    if not done:
        return Decision(why="being emptied")
    told = Emit(volume, "Normal", "VolumeRecycled", "Volume recycled")
    gone = decision.delete(kinds.POD, pod, grace_seconds=0)
    return Decision((told, *binding.unbind(volume, seen.now), gone), "empty again")


def _failed(seen: SeenVolume, reason: str, message: str) -> Decision:
    if (seen.volume.get("status") or {}).get("phase") == "Failed":
        return Decision(why=message)
    changed = binding.volume_phase(seen.volume, "Failed", seen.now, message)
    return Decision((*changed, Emit(seen.volume, "Warning", reason, message)), message)


def _policy(volume: Object) -> str:
    return str(volume["spec"].get("persistentVolumeReclaimPolicy") or "Retain")
