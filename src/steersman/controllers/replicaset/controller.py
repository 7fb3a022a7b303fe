"""What the ReplicaSet controller watches and sees."""

from collections import Counter
from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import claims, indexes, live, pods
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.replicaset import decide
from steersman.controllers.replicaset.decide import Seen
from steersman.meta import objects, owners, selectors
from steersman.meta.objects import Object

KIND = "ReplicaSet"


def controller() -> Controller:
    return Controller(
        name="replicaset-controller",
        watches=(Watch(kinds.REPLICA_SET, own_key), Watch(kinds.POD, keys_of_pod)),
        observe=observe,
        decide=decide.decide,
        indexes=(
            indexes.by_controller(kinds.POD),
            indexes.orphans(kinds.POD),
            indexes.by_controller(kinds.REPLICA_SET),
        ),
    )


def own_key(caches: Caches, obj: Object) -> Iterable[str]:
    return (objects.key(obj),)


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    reference = owners.controller_of(pod)
    if reference is not None:
        return (f"{objects.namespace(pod)}/{reference['name']}",) if reference["kind"] == KIND else ()
    if pods.is_terminating(pod):
        return ()
    found = caches.of(kinds.REPLICA_SET).list(objects.namespace(pod))
    labels = objects.labels(pod)
    return [objects.key(one) for one in found if selectors.object_matches(one["spec"].get("selector"), labels)]


async def _may_adopt(look: Look, replica_set: Object) -> bool:
    return await live.is_alive(look.client, kinds.REPLICA_SET, replica_set)


async def observe(look: Look, key: str) -> Seen | None:
    replica_set = look.caches.of(kinds.REPLICA_SET).get(key)
    if replica_set is None:
        return None
    cache = look.caches.of(kinds.POD)
    owned = cache.by_index(indexes.CONTROLLER, objects.uid(replica_set))
    orphans = cache.by_index(indexes.ORPHANS, objects.namespace(replica_set))
    if orphans:
        selector = selectors.from_object(replica_set["spec"].get("selector"))
        orphans = [pod for pod in orphans if pods.is_active(pod) and claims.is_adoptable(pod, selector)]
    return Seen(
        replica_set=replica_set,
        owned=owned,
        now=look.now,
        orphans=orphans,
        may_adopt=bool(orphans) and await _may_adopt(look, replica_set),
        neighbours=_neighbours(look.caches, replica_set) if len(owned) > decide.wanted(replica_set) else {},
        failure=look.failure,
    )


def _neighbours(caches: Caches, replica_set: Object) -> Counter[str]:
    """Active pods per node of all ReplicaSets that have the same controller."""
    uid = owners.controller_uid(replica_set)
    siblings = caches.of(kinds.REPLICA_SET).by_index(indexes.CONTROLLER, uid) if uid else [replica_set]
    cache = caches.of(kinds.POD)
    return Counter(
        pods.node_name(pod)
        for sibling in siblings
        for pod in cache.by_index(indexes.CONTROLLER, objects.uid(sibling))
        if pods.is_active(pod)
    )
