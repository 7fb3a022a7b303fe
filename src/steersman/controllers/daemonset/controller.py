"""What the DaemonSet controller watches and sees.

It remembers per node how often a pod failed, so that a node that refuses the pod is not asked again and again; lost at a
restart, it costs one early try.
"""

import datetime
from collections.abc import Iterable, Sequence

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import claims, indexes, live, pods, revisions
from steersman.controllers.daemonset import decide, eligibility
from steersman.controllers.daemonset.decide import Seen
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects, owners, selectors
from steersman.meta.objects import Object

KIND = "DaemonSet"

# Pauses between replacing failed pods of one node: upstream's failedPodsBackoff.
_FIRST_PAUSE_SECONDS = 1.0
_PAUSE_MAX_SECONDS = 900.0


def controller() -> Controller:
    observer = _Observer()
    return Controller(
        name="daemonset-controller",
        watches=(
            Watch(kinds.DAEMON_SET, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.POD, keys_of_pod),
            Watch(kinds.CONTROLLER_REVISION, keys_of_revision),
            Watch(kinds.NODE, keys_of_node, node_matters),
        ),
        observe=observer.observe,
        decide=decide.decide,
        indexes=(
            indexes.by_controller(kinds.POD),
            indexes.orphans(kinds.POD),
            indexes.by_controller(kinds.CONTROLLER_REVISION),
            indexes.orphans(kinds.CONTROLLER_REVISION),
        ),
        workers=2,  # upstream's ConcurrentDaemonSetSyncs
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    reference = owners.controller_of(pod)
    if reference is not None:
        return (f"{objects.namespace(pod)}/{reference['name']}",) if reference["kind"] == KIND else ()
    if pods.is_terminating(pod):
        return ()
    labels = objects.labels(pod)
    found = caches.of(kinds.DAEMON_SET).list(objects.namespace(pod))
    return [objects.key(one) for one in found if selectors.object_matches(one["spec"].get("selector"), labels)]


def keys_of_revision(caches: Caches, revision: Object) -> Iterable[str]:
    reference = owners.controller_of(revision)
    if reference is None or reference["kind"] != KIND:
        return ()
    return (f"{objects.namespace(revision)}/{reference['name']}",)


def keys_of_node(caches: Caches, node: Object) -> Iterable[str]:
    return [objects.key(one) for one in caches.of(kinds.DAEMON_SET).list()]


def node_matters(old: Object | None, new: Object | None) -> bool:
    """Only what eligibility depends on: not the heartbeats."""
    if old is None or new is None:
        return True
    return objects.labels(old) != objects.labels(new) or _taints(old) != _taints(new)


def _taints(node: Object) -> Sequence[Object]:
    return (node.get("spec") or {}).get("taints") or ()


class _Observer:
    def __init__(self) -> None:
        # DaemonSet's key → node → (uid of the last failed pod, failures, when it may be replaced)
        self._failures: dict[str, dict[str, tuple[str, int, datetime.datetime]]] = {}

    async def observe(self, look: Look, key: str) -> Seen | None:
        found = look.caches.of(kinds.DAEMON_SET).get(key)
        if found is None:
            self._failures.pop(key, None)
            return None
        uid, space = objects.uid(found), objects.namespace(found)
        pod_cache, revision_cache = look.caches.of(kinds.POD), look.caches.of(kinds.CONTROLLER_REVISION)
        selector = selectors.from_object(found["spec"].get("selector"))
        orphans = [one for one in pod_cache.by_index(indexes.ORPHANS, space) if claims.is_adoptable(one, selector)]
        orphan_revisions = [
            one for one in revision_cache.by_index(indexes.ORPHANS, space) if claims.is_adoptable(one, selector)
        ]
        needs_live_look = bool(orphans or orphan_revisions)
        owned = pod_cache.by_index(indexes.CONTROLLER, uid)
        return Seen(
            daemon_set=found,
            pods=owned,
            nodes=look.caches.of(kinds.NODE).list(),
            revisions=revision_cache.by_index(indexes.CONTROLLER, uid),
            now=look.now,
            pauses=self._pauses(key, owned, look.now),
            orphans=orphans,
            orphan_revisions=orphan_revisions,
            may_adopt=needs_live_look and await live.is_alive(look.client, kinds.DAEMON_SET, found),
            taken=revision_cache.get(f"{space}/{revisions.next_name(found)}"),
            failure=look.failure,
        )

    def _pauses(self, key: str, owned: Sequence[Object], now: datetime.datetime) -> dict[str, float]:
        """The first failed pod is replaced at once, the next ones after one second, two, four, …"""
        known = self._failures.get(key, {})
        for pod in owned:
            if pods.phase(pod) != "Failed" or pods.is_terminating(pod):
                continue
            node = eligibility.target(pod)
            last, failures, since = known.get(node, ("", 0, now))
            if last == objects.uid(pod):
                continue
            if (now - since).total_seconds() > 2 * _PAUSE_MAX_SECONDS:
                failures = 0  # it ran well for long
            seconds = min(_PAUSE_MAX_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 12)) if failures else 0.0
            known[node] = objects.uid(pod), failures + 1, now + datetime.timedelta(seconds=seconds)
        if known:
            self._failures[key] = known
        return {node: (until - now).total_seconds() for node, (_, _, until) in known.items() if until > now}
