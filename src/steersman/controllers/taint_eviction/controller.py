"""What the taint eviction controller watches and sees.

Not every taint says when it was added (`kubectl taint` does not): those count from when they were first seen here.
"""

import datetime
from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import indexes, pods
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.taint_eviction import decide
from steersman.controllers.taint_eviction.decide import Seen, Taint
from steersman.meta import objects, times
from steersman.meta.objects import Object


def controller() -> Controller:
    first_seen = _FirstSeen()
    return Controller(
        name="taint-eviction-controller",
        watches=(
            Watch(kinds.NODE, _pods_of_node, _taints_changed),
            Watch(kinds.POD, _tainted_pod, _pod_matters),
        ),
        observe=first_seen.observe,
        decide=decide.decide,
        indexes=(indexes.by_node(kinds.POD),),
    )


class _FirstSeen:
    def __init__(self) -> None:
        self._times: dict[str, dict[tuple[str, str], datetime.datetime]] = {}
        self._awaited: dict[str, str] = {}  # uids of pods whose time is counted, by key

    def observe(self, look: Look, key: str) -> Seen | None:
        pod = look.caches.of(kinds.POD).get(key)
        was_awaited = self._awaited.pop(key, "")
        if pod is None:
            return None
        node = look.caches.of(kinds.NODE).get(pods.node_name(pod))
        taints = self.taints(node, look.now) if node is not None else []
        if (decide.seconds_left(pod, taints, look.now) or 0.0) > 0:
            self._awaited[key] = objects.uid(pod)
        return Seen(pod, taints, look.now, was_awaited == objects.uid(pod))

    def taints(self, node: Object, now: datetime.datetime) -> list[Taint]:
        found = no_execute(node)
        name = objects.name(node)
        if not found:
            self._times.pop(name, None)
            return []
        before = self._times.get(name, {})
        self._times[name] = {_identity(one): before.get(_identity(one), now) for one in found}
        return [Taint(one["key"], one.get("value", ""), self._since(name, one)) for one in found]

    def _since(self, name: str, taint: Object) -> datetime.datetime:
        added = taint.get("timeAdded")
        return times.parse(added) if added else self._times[name][_identity(taint)]


def no_execute(node: Object) -> list[Object]:
    return [one for one in (node.get("spec") or {}).get("taints") or () if one.get("effect") == "NoExecute"]


def _identity(taint: Object) -> tuple[str, str]:
    return taint["key"], taint.get("value", "")


def _pods_of_node(caches: Caches, node: Object) -> Iterable[str]:
    return [objects.key(pod) for pod in caches.of(kinds.POD).by_index(indexes.NODE, objects.name(node))]


def _taints_changed(old: Object | None, new: Object | None) -> bool:
    before = no_execute(old) if old is not None else []
    after = no_execute(new) if new is not None else []
    return before != after


def _tainted_pod(caches: Caches, pod: Object) -> Iterable[str]:
    node = caches.of(kinds.NODE).get(pods.node_name(pod))
    return (objects.key(pod),) if node is not None and no_execute(node) else ()


def _pod_matters(old: Object | None, new: Object | None) -> bool:
    if new is None:
        return False
    if old is None:
        return True
    return pods.node_name(old) != pods.node_name(new) or old["spec"].get("tolerations") != new["spec"].get(
        "tolerations"
    )
