"""What the node lifecycle controller watches and sees.

Heartbeats are judged by our own clock: a node is alive when its Lease or its status *changes*, whatever time the node
itself writes there (its clock may be wrong). So a controller that starts anew gives every node the whole grace once.
"""

from collections.abc import Iterable

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import indexes
from steersman.controllers.decision import Decision
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.node_lifecycle import decide, zones
from steersman.controllers.node_lifecycle.decide import Seen, SeenGone
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

LEASE_NAMESPACE = "kube-node-lease"


def controller(clock: Clock, grace_seconds: float, startup_grace_seconds: float) -> Controller:
    beats = _Heartbeats(clock, grace_seconds, startup_grace_seconds)
    return Controller(
        name="node-controller",  # upstream's component name in events
        watches=(
            Watch(kinds.NODE, beats.keys_of_node, _node_matters, beats.note_node),
            # A renewed lease wakes nobody: it is asked for when the grace is over, not thousands of times in between.
            Watch(kinds.LEASE, note=beats.note_lease),
            Watch(kinds.POD, _node_of_pod, _became_ready, beats.note_pod),
        ),
        observe=beats.observe,
        decide=beats.decide,
        indexes=(indexes.by_node(kinds.POD),),
    )


class _Heartbeats:
    """When each node last gave a sign of life, and whose readiness its kubelet has insisted on since it counts as not ready:
    those pods are left alone, or two writers that are both sure would overwrite each other for ever."""

    def __init__(self, clock: Clock, grace_seconds: float, startup_grace_seconds: float) -> None:
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._startup_grace_seconds = startup_grace_seconds
        self._at: dict[str, float] = {}
        self._insisted: dict[str, set[str]] = {}  # node → uids
        self._known: dict[str, Object] = {}
        self._zones = zones.Zones()
        self._all_lost = False

    def note_lease(self, old: Object | None, new: Object | None) -> None:
        if new is not None and objects.namespace(new) == LEASE_NAMESPACE:
            self._at[objects.name(new)] = self._clock.monotonic()

    def keys_of_node(self, caches: Caches, node: Object) -> Iterable[str]:
        """Itself; all, when it is the last that is lost or the first that is back."""
        if self._zones.all_lost == self._all_lost:
            return (objects.name(node),)
        self._all_lost = self._zones.all_lost
        return caches.of(kinds.NODE).keys()

    def note_node(self, old: Object | None, new: Object | None) -> None:
        self._zones.note(old, new)
        if new is None:
            assert old is not None
            self._at.pop(objects.name(old), None)
            self._insisted.pop(objects.name(old), None)
        elif old is None or _reported_at(old) != _reported_at(new):
            self._at[objects.name(new)] = self._clock.monotonic()

        if new is not None and (old is None or conditions.status(old, "Ready") != conditions.status(new, "Ready")):
            self._insisted.pop(objects.name(new), None)

    def note_pod(self, old: Object | None, new: Object | None) -> None:
        node = str((new or old or {}).get("spec", {}).get("nodeName") or "")
        if new is None:
            assert old is not None
            self._insisted.get(node, set()).discard(objects.uid(old))
        elif old is not None and _became_ready(old, new):
            self._insisted.setdefault(node, set()).add(objects.uid(new))

    def observe(self, look: Look, key: str) -> Seen | SeenGone | None:
        node = look.caches.of(kinds.NODE).get(key)
        last = self._known.pop(key, None)
        if node is None:
            return SeenGone(last) if last is not None else None
        self._known[key] = node
        lease = look.caches.of(kinds.LEASE).get(f"{LEASE_NAMESPACE}/{key}")
        now = self._clock.monotonic()
        insisted = self._insisted.get(key, set())
        bound = look.caches.of(kinds.POD).by_index(indexes.NODE, key)
        return Seen(
            node=node,
            silent_seconds=now - self._at.setdefault(key, now),
            grace_seconds=self._grace(conditions.status(node, "Ready"), lease),
            now=look.now,
            pods=[pod for pod in bound if objects.uid(pod) not in insisted],
            eviction_seconds=self._zones.seconds_to_eviction(node, now),
            all_lost=self._zones.all_lost,
            is_new=last is None or objects.uid(last) != objects.uid(node),
        )

    def decide(self, seen: Seen | SeenGone) -> Decision:
        made = decide.decide(seen)
        if decide.evicts(made):
            self._zones.evicted(seen.node, self._clock.monotonic())
        return made

    def _grace(self, ready: str, lease: Object | None) -> float:
        """A node that never reported gets longer to start; one whose lease promises less frequent signs, that long."""
        if not ready:
            return max(self._grace_seconds, self._startup_grace_seconds)
        promised = ((lease or {}).get("spec") or {}).get("leaseDurationSeconds") or 0
        return max(self._grace_seconds, float(promised))


def _reported_at(node: Object) -> object:
    return (conditions.get(node, "Ready") or {}).get("lastHeartbeatTime")


def _node_matters(old: Object | None, new: Object | None) -> bool:
    """Not for mere heartbeats."""
    if old is None or new is None:
        return True
    return old["spec"] != new["spec"] or _conditions(old) != _conditions(new)


def _conditions(node: Object) -> list[tuple[str, str]]:
    found = (node.get("status") or {}).get("conditions") or ()
    return [(str(one.get("type")), str(one.get("status"))) for one in found]


def _node_of_pod(caches: Caches, pod: Object) -> tuple[str, ...]:
    """A pod that was reported ready on a node that is known not to be."""
    name = str((pod.get("spec") or {}).get("nodeName") or "")
    node = caches.of(kinds.NODE).get(name) if name else None
    return (name,) if node is not None and conditions.status(node, "Ready") != "True" else ()


def _became_ready(old: Object | None, new: Object | None) -> bool:
    return (
        new is not None and conditions.is_true(new, "Ready") and (old is None or not conditions.is_true(old, "Ready"))
    )
