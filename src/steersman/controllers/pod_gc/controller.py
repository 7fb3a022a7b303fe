"""What the pod garbage collector watches and sees: single pods, and under the key `*` all that have ended."""

import datetime
from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import indexes, live, pods
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.pod_gc import decide
from steersman.controllers.pod_gc.decide import SeenEnded, SeenPod
from steersman.meta import objects
from steersman.meta.objects import Object

ENDED = "*"  # no pod has this key
_INDEX = "ended"


def controller(terminated_threshold: int, quarantine_seconds: float) -> Controller:
    collector = _Collector(terminated_threshold, quarantine_seconds)
    return Controller(
        name="pod-garbage-collector-controller",
        watches=(Watch(kinds.POD, keys_of_pod, _pod_matters), Watch(kinds.NODE, keys_of_node, _node_matters)),
        observe=collector.observe,
        decide=decide.decide,
        indexes=(
            indexes.by_node(kinds.POD),
            Index(kinds.POD, _INDEX, lambda pod: ("",) if pods.is_finished(pod) else ()),
        ),
        workers=2,
    )


class _Collector:
    def __init__(self, terminated_threshold: int, quarantine_seconds: float) -> None:
        self._threshold = terminated_threshold
        self._quarantine_seconds = quarantine_seconds
        self._missing_since: dict[str, datetime.datetime] = {}

    async def observe(self, look: Look, key: str) -> SeenPod | SeenEnded | None:
        cache = look.caches.of(kinds.POD)
        if key == ENDED:
            return SeenEnded(cache.by_index(_INDEX, ""), self._threshold)
        pod = cache.get(key)
        if pod is None:
            return None
        name = pods.node_name(pod)
        node = look.caches.of(kinds.NODE).get(name) if name else None
        missing = await self._missing_seconds(look, name) if name and node is None else None
        if node is not None:
            self._missing_since.pop(name, None)
        return SeenPod(pod, node, missing, self._quarantine_seconds, look.now)

    async def _missing_seconds(self, look: Look, name: str) -> float | None:
        """How long the node has been missing; at the end of the quarantine a live read has the last word."""
        since = self._missing_since.setdefault(name, look.now)
        seconds = (look.now - since).total_seconds()
        if seconds >= self._quarantine_seconds and await live.get(look.client, kinds.NODE, name, "") is not None:
            del self._missing_since[name]
            return None
        return seconds


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    if pods.is_finished(pod):
        yield ENDED
    name = pods.node_name(pod)
    node = caches.of(kinds.NODE).get(name) if name else None
    if (name and node is None) or (pods.is_terminating(pod) and (node is None or decide.is_out_of_service(node))):
        yield objects.key(pod)


def keys_of_node(caches: Caches, node: Object) -> Iterable[str]:
    """Its pods, when it is gone or declared dead."""
    name = objects.name(node)
    found = caches.of(kinds.NODE).get(name)
    if found is None or decide.is_out_of_service(found):
        return [objects.key(pod) for pod in caches.of(kinds.POD).by_index(indexes.NODE, name)]
    return ()


def _pod_matters(old: Object | None, new: Object | None) -> bool:
    if new is None:
        return False
    return old is None or _facts(old) != _facts(new)


def _facts(pod: Object) -> tuple[bool, bool, str]:
    return pods.is_finished(pod), pods.is_terminating(pod), pods.node_name(pod)


def _node_matters(old: Object | None, new: Object | None) -> bool:
    return new is None or decide.is_out_of_service(new)
