"""Attach CSI volumes to the nodes whose pods need them, and detach them when nobody there does.

Keeps true: a VolumeAttachment for each volume and node with a pod that uses it, and no other; a volume for one node is not
attached to two. Reads: Node, its Pods, their claims and volumes, CSIDrivers, VolumeAttachments.  Writes: VolumeAttachments,
`volumesAttached` of the Node, Events.
Leaves to others: the attaching itself (the driver's attacher), mounting (kubelet). Source: upstream's attachdetach controller.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from steersman.api import kinds, volumes
from steersman.controllers import decision
from steersman.controllers.decision import Action, Create, Decision, Emit
from steersman.csi import naming
from steersman.meta import objects
from steersman.meta.objects import Object

_MANY = frozenset(("ReadWriteMany", "ReadOnlyMany"))
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
BLOCKED_SECONDS = 5.0  # until a volume that is still attached elsewhere is looked at again


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """A volume that pods of the node use."""

    volume: Object
    pods: Sequence[Object]


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`node` is None when it is gone. `attachments`: the node's, by volume. `elsewhere`: volumes that are attached to other
    nodes, with the node."""

    name: str
    node: Object | None
    wanted: Sequence[Wanted]
    attachments: Mapping[str, Object]
    elsewhere: Mapping[str, str] = dataclasses.field(default_factory=dict)


def decide(seen: Seen) -> Decision:
    needed = {objects.name(one.volume): one for one in seen.wanted} if seen.node is not None else {}
    in_use = _in_use(seen.node)
    actions: list[Action] = []
    blocked = False
    for name, one in needed.items():
        if name not in seen.attachments:
            attach, is_blocked = _attach(seen, one)
            actions += attach
            blocked = blocked or is_blocked
    for name, attachment in seen.attachments.items():
        if name not in needed and not objects.is_terminating(attachment) and _unique_name(attachment) not in in_use:
            actions.append(decision.delete(kinds.VOLUME_ATTACHMENT, attachment))
        elif name in needed:
            actions += _failures(needed[name], attachment)
    if seen.node is not None:
        actions += _shown(seen, seen.node, needed)
    why = f"{len(needed)} volumes needed, {len(seen.attachments)} attached or on the way"
    return Decision(tuple(actions), why, BLOCKED_SECONDS if blocked else None)


def _in_use(node: Object | None) -> set[str]:
    """What its kubelet has mounted, as it says; of a node that was declared dead nothing is."""
    spec, status = (node or {}).get("spec") or {}, (node or {}).get("status") or {}
    if any(one.get("key") == OUT_OF_SERVICE for one in spec.get("taints") or ()):
        return set()
    return set(status.get("volumesInUse") or ())


UNIQUE_NAME = "storage.steersman.dev/volume"  # annotation of an attachment whose volume may be gone when it is needed


def _unique_name(attachment: Object) -> str:
    return objects.annotations(attachment).get(UNIQUE_NAME, "")


def _attach(seen: Seen, one: Wanted) -> tuple[list[Action], bool]:
    volume, name = one.volume, objects.name(one.volume)
    other = seen.elsewhere.get(name)
    if other and not _MANY & set(volumes.access_modes(volume)):
        text = (
            f'Multi-Attach error for volume "{name}" Volume is already exclusively attached to one node and can\'t be '
            "attached to another"
        )
        return [Emit(pod, "Warning", "FailedAttachVolume", text) for pod in one.pods], True
    spec = {
        "attacher": volume["spec"]["csi"]["driver"],
        "nodeName": seen.name,
        "source": {"persistentVolumeName": name},
    }
    driver, handle = volume["spec"]["csi"]["driver"], volume["spec"]["csi"]["volumeHandle"]
    meta = {
        "name": naming.attachment(handle, driver, seen.name),
        "annotations": {UNIQUE_NAME: naming.in_use(driver, handle)},
    }
    made = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": meta, "spec": spec}
    return [Create(kinds.VOLUME_ATTACHMENT, made)], False


def _failures(one: Wanted, attachment: Object) -> list[Action]:
    status = attachment.get("status") or {}
    error = (status.get("attachError") or {}).get("message")
    if not error or status.get("attached"):
        return []
    text = f'AttachVolume.Attach failed for volume "{objects.name(one.volume)}" : {error}'
    return [Emit(pod, "Warning", "FailedAttachVolume", text) for pod in one.pods]


def _shown(seen: Seen, node: Object, needed: Mapping[str, Wanted]) -> list[Action]:
    """`volumesAttached`, and an event for each pod whose volume has come."""
    attached = {
        _unique_name(one): name
        for name, one in seen.attachments.items()
        if (one.get("status") or {}).get("attached") and _unique_name(one)
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
