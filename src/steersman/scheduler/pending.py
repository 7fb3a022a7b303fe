"""What waits for nodes: single pods, and groups of pods that are placed together."""

import dataclasses
from collections.abc import Sequence

from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler.shape import Shape

# Not the key of any pod: keys of pods are namespace/name.
_GROUP_KEY = "podgroup:"


@dataclasses.dataclass(frozen=True, slots=True)
class PendingPod:
    """A pod without a node. `key` is namespace/name; of two pods the one with higher `priority` goes first.

    `pod_group` is namespace/name of its PodGroup, "" for none.
    """

    key: str
    shape: Shape
    priority: int = 0
    preempts: bool = True  # False: preemptionPolicy Never
    pod_group: str = ""
    uid: str = ""

    def is_like(self, other: "Pending") -> bool:
        """Asks for the same: what failed for one fails for the other."""
        mine = self.shape, self.priority, self.preempts, self.pod_group
        return isinstance(other, PendingPod) and mine == (other.shape, other.priority, other.preempts, other.pod_group)


@dataclasses.dataclass(frozen=True, slots=True)
class PodGroup:
    """What matters of a PodGroup. `needed`: so many of its pods at once, or none; 1 for the basic policy."""

    key: str
    needed: int = 1
    is_gang: bool = False
    priority: int = 0
    preempts: bool = True
    goes_together: bool = False  # disruptionMode all: who preempts one of its pods preempts all
    topology_key: str = ""  # all pods of the group on nodes with one value of this label; "" anywhere


@dataclasses.dataclass(frozen=True, slots=True)
class PendingGroup:
    """The pods of a group that have no node yet, the most important first."""

    group: PodGroup
    pods: Sequence[PendingPod]

    @property
    def key(self) -> str:
        return _GROUP_KEY + self.group.key

    @property
    def priority(self) -> int:
        return self.group.priority

    def is_like(self, other: "Pending") -> bool:
        return (
            isinstance(other, PendingGroup)
            and self.group == other.group
            and len(self.pods) == len(other.pods)
            and all(one.key == two.key and one.is_like(two) for one, two in zip(self.pods, other.pods, strict=True))
        )


Pending = PendingPod | PendingGroup


def queue_key(pod_group: str) -> str:
    return _GROUP_KEY + pod_group


def read_group(found: Object) -> PodGroup:
    spec = found["spec"]
    gang = (spec.get("schedulingPolicy") or {}).get("gang")
    topology = (spec.get("schedulingConstraints") or {}).get("topology") or ()
    return PodGroup(
        key=objects.key(found),
        needed=int(gang["minCount"]) if gang is not None else 1,
        is_gang=gang is not None,
        priority=int(spec.get("priority") or 0),
        preempts=spec.get("preemptionPolicy") != "Never",
        goes_together=(spec.get("disruptionMode") or {}).get("all") is not None,
        topology_key=topology[0]["key"] if topology else "",
    )
