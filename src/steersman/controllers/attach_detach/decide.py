"""Attach CSI volumes to the nodes whose pods need them, and detach them when nobody there does.

Keeps true: a VolumeAttachment for each volume and node with a pod that uses it, and no other of its own making; a volume for
one node is not attached to two.
Reads: Node, its Pods, their claims and volumes, CSIDrivers, VolumeAttachments.  Writes: VolumeAttachments, `volumesAttached` of
the Node, Events.
Leaves to others: the attaching itself (the driver's attacher), mounting (kubelet), attachments that people made by hand.
Source: upstream's attachdetach controller.
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from steersman.api import kinds, volumes
from steersman.controllers import decision
from steersman.controllers.decision import Action, Create, Decision, Emit
from steersman.csi import naming
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

_MANY = frozenset(("ReadWriteMany", "ReadOnlyMany"))
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
BLOCKED_SECONDS = 5.0  # until a volume that is still attached elsewhere is looked at again
UNMOUNT_SECONDS_MAX = 360.0  # upstream's maxWaitForUnmountDuration: then a node that says nothing is taken to be dead
UNIQUE_NAME = "storage.steersman.dev/volume"  # annotation of an attachment whose volume may be gone when it is needed


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """A volume that pods of the node use."""

    volume: Object
    pods: Sequence[Object]


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A volume that is attached to the node, or about to be. `unwanted_since`: when its last pod here went."""

    attachment: Object
    unique_name: str
    unwanted_since: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Elsewhere:
    """A volume is attached to another node; `pods` are those that use it there."""

    pods: Sequence[Object] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`node`: as it is, or, when it `is_gone`, as it was when it was last seen (None: never). `held` and `elsewhere` by volume;
    `told`: volumes whose pods know already that they have to wait."""

    name: str
    node: Object | None
    wanted: Sequence[Wanted]
    held: Mapping[str, Held]
    now: datetime.datetime
    elsewhere: Mapping[str, Elsewhere] = dataclasses.field(default_factory=dict)
    told: frozenset[str] = frozenset()
    is_gone: bool = False


def decide(seen: Seen) -> Decision:
    """What is let go comes first: a volume that moves is detached before it is attached. A node is told that it has lost a volume
    before it does."""
    needed = {objects.name(one.volume): one for one in seen.wanted} if not seen.is_gone else {}
    going = [one for name, one in seen.held.items() if name not in needed]
    let_go = [one for one in going if not objects.is_terminating(one.attachment) and may_detach(seen, one)]
    waiting = blocked(seen) if not seen.is_gone else []
    actions: list[Action] = []
    if seen.node is not None and not seen.is_gone:
        actions += _shown(seen, seen.node, needed, let_go)
    actions += [decision.delete(kinds.VOLUME_ATTACHMENT, one.attachment) for one in let_go]
    for one in waiting:
        actions += _multi_attach(seen, one)
    for name, wanted in needed.items():
        if name in seen.held:
            actions += _failures(wanted, seen.held[name].attachment)
        elif wanted not in waiting:
            actions.append(_attach(seen, wanted))
    again = decision.earliest(
        BLOCKED_SECONDS if waiting else None, *(_patience_seconds(seen, one) for one in going if one not in let_go)
    )
    return Decision(tuple(actions), f"{len(needed)} volumes needed, {len(seen.held)} attached or on the way", again)


def blocked(seen: Seen) -> list[Wanted]:
    """Volumes that can be attached to one node only, and are to another. Where no access mode says so the driver may refuse."""
    found = []
    for one in seen.wanted:
        name, modes = objects.name(one.volume), set(volumes.access_modes(one.volume))
        if name not in seen.held and name in seen.elsewhere and modes and not modes & _MANY:
            found.append(one)
    return found


def may_detach(seen: Seen, held: Held) -> bool:
    """The node does not have it mounted, as it says; or it was declared dead; or it has said nothing for so long that it is."""
    if not _is_mounted(seen.node, held.unique_name):
        return True
    patience = _patience_seconds(seen, held)
    return patience is not None and patience <= 0 and (seen.is_gone or not conditions.is_true(seen.node or {}, "Ready"))


def _is_mounted(node: Object | None, unique_name: str) -> bool:
    """Of a node that was never seen, everything is."""
    if node is None:
        return True
    spec, status = node.get("spec") or {}, node.get("status") or {}
    if any(one.get("key") == OUT_OF_SERVICE for one in spec.get("taints") or ()):
        return False
    return unique_name in (status.get("volumesInUse") or ())


def _patience_seconds(seen: Seen, held: Held) -> float | None:
    """How much longer the node is waited for. A node that is well is waited for without an end; when it falls ill it is looked
    at again."""
    if held.unwanted_since is None or objects.is_terminating(held.attachment):
        return None
    left = UNMOUNT_SECONDS_MAX - (seen.now - held.unwanted_since).total_seconds()
    return left if left > 0 or seen.is_gone or not conditions.is_true(seen.node or {}, "Ready") else None


def _attach(seen: Seen, one: Wanted) -> Create:
    name, source = objects.name(one.volume), one.volume["spec"]["csi"]
    driver, handle = source["driver"], source["volumeHandle"]
    spec = {"attacher": driver, "nodeName": seen.name, "source": {"persistentVolumeName": name}}
    meta = {
        "name": naming.attachment(handle, driver, seen.name),
        "annotations": {UNIQUE_NAME: naming.in_use(driver, handle)},
    }
    made = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": meta, "spec": spec}
    return Create(kinds.VOLUME_ATTACHMENT, made)


def _multi_attach(seen: Seen, one: Wanted) -> list[Action]:
    """Told once, with those who have it where there are any. They are of the claim's namespace: their names are no secret."""
    name = objects.name(one.volume)
    if name in seen.told:
        return []
    users = sorted(objects.name(pod) for pod in seen.elsewhere[name].pods)
    why = "Volume is already exclusively attached to one node and can't be attached to another"
    if users:
        why = f"Volume is already used by pod(s) {', '.join(users)}"
    text = f'Multi-Attach error for volume "{name}" {why}'
    return [Emit(pod, "Warning", "FailedAttachVolume", text) for pod in one.pods]


def _failures(one: Wanted, attachment: Object) -> list[Action]:
    status = attachment.get("status") or {}
    error = (status.get("attachError") or {}).get("message")
    if not error or status.get("attached"):
        return []
    text = f'AttachVolume.Attach failed for volume "{objects.name(one.volume)}" : {error}'
    return [Emit(pod, "Warning", "FailedAttachVolume", text) for pod in one.pods]


def _shown(seen: Seen, node: Object, needed: Mapping[str, Wanted], let_go: Sequence[Held]) -> list[Action]:
    """`volumesAttached`, and an event for each pod whose volume has come."""
    attached = {
        one.unique_name: name
        for name, one in seen.held.items()
        if (one.attachment.get("status") or {}).get("attached")
        and one not in let_go
        and not objects.is_terminating(one.attachment)
    }
    shown = [one["name"] for one in (node.get("status") or {}).get("volumesAttached") or ()]
    if sorted(attached) == sorted(shown):
        return []
    listed = [{"name": name, "devicePath": ""} for name in sorted(attached)]
    body = {"status": {"volumesAttached": listed or None}}
    actions: list[Action] = [decision.patch(kinds.NODE, node, body, subresource="status")]
    for unique, name in attached.items():
        if unique not in shown and name in needed:
            text = f'AttachVolume.Attach succeeded for volume "{name}" '
            actions += [Emit(pod, "Normal", "SuccessfulAttachVolume", text) for pod in needed[name].pods]
    return actions
