"""When many nodes are lost at once, it may be the control plane's network that is: who may still be evicted, and how fast.

Keeps true: each zone's pods are evicted node by node, with pauses; where most of a zone is lost hardly or not at all; and where
every node of the cluster is lost nobody is. Source: "Nodes", Node eviction rates; upstream's node lifecycle controller.
"""

import collections
import dataclasses
import enum

from steersman.meta import conditions, objects
from steersman.meta.objects import Object

# Upstream's flags: --node-eviction-rate and --secondary-node-eviction-rate (nodes a second), --large-cluster-size-threshold,
# --unhealthy-zone-threshold.
RATE, SECONDARY_RATE = 0.1, 0.01
LARGE = 50
UNHEALTHY = 0.55
FEW = 2  # as many lost nodes are never a disruption of a zone

_LABELS = (
    ("topology.kubernetes.io/region", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone"),
)


class State(enum.Enum):
    NORMAL = "normal"
    PARTIAL = "partial disruption"
    FULL = "full disruption"


@dataclasses.dataclass(frozen=True, slots=True)
class Zone:
    ready: int = 0
    lost: int = 0

    @property
    def size(self) -> int:
        return self.ready + self.lost

    @property
    def state(self) -> State:
        if not self.ready and self.lost:
            return State.FULL
        if self.lost > FEW and self.lost / self.size >= UNHEALTHY:
            return State.PARTIAL
        return State.NORMAL

    @property
    def pause_seconds(self) -> float | None:
        """Between two nodes whose pods are evicted; None: nobody is."""
        if self.state is not State.PARTIAL:
            return 1 / RATE
        return 1 / SECONDARY_RATE if self.size > LARGE else None


class Zones:
    """The nodes of each zone, counted as they change, and when the pods of one were evicted last."""

    def __init__(self) -> None:
        self._ready: collections.Counter[str] = collections.Counter()
        self._lost: collections.Counter[str] = collections.Counter()
        self._evicted_at: dict[str, float] = {}

    def note(self, old: Object | None, new: Object | None) -> None:
        for node, step in ((old, -1), (new, 1)):
            if node is not None:
                (self._ready if conditions.is_true(node, "Ready") else self._lost)[zone_of(node)] += step

    def of(self, node: Object) -> Zone:
        name = zone_of(node)
        return Zone(self._ready[name], self._lost[name])

    @property
    def all_lost(self) -> bool:
        return not any(self._ready.values()) and any(self._lost.values())

    def seconds_to_eviction(self, node: Object, now: float) -> float | None:
        """0: its pods may be evicted now; None: not as things are."""
        pause = self.of(node).pause_seconds
        if pause is None or self.all_lost:
            return None
        last = self._evicted_at.get(zone_of(node))
        return 0.0 if last is None else max(0.0, last + pause - now)

    def evicted(self, node: Object, now: float) -> None:
        self._evicted_at[zone_of(node)] = now


def zone_of(node: Object) -> str:
    """Region and zone; empty for nodes that say neither."""
    labels = objects.labels(node)
    for names in _LABELS:
        found = [labels.get(name, "") for name in names]
        if any(found):
            return ":".join(found)
    return ""
