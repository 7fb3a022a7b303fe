"""What the ReplicationController controller watches and sees."""

from collections import Counter
from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import claims, indexes, live, pods
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.replicaset.decide import Seen
from steersman.controllers.replicationcontroller import decide
from steersman.meta import objects, owners, selectors
from steersman.meta.objects import Object

KIND = "ReplicationController"


def controller() -> Controller:
    return Controller(
        name="replication-controller",
        watches=(
            Watch(kinds.REPLICATION_CONTROLLER, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.POD, keys_of_pod),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(indexes.by_controller(kinds.POD), indexes.orphans(kinds.POD)),
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    reference = owners.controller_of(pod)
    if reference is not None:
        return (f"{objects.namespace(pod)}/{reference['name']}",) if reference["kind"] == KIND else ()
    if pods.is_terminating(pod):
        return ()
    labels = objects.labels(pod)
    found = caches.of(kinds.REPLICATION_CONTROLLER).list(objects.namespace(pod))
    return [objects.key(one) for one in found if selectors.from_map(one["spec"].get("selector")).matches(labels)]


async def observe(look: Look, key: str) -> Seen | None:
    found = look.caches.of(kinds.REPLICATION_CONTROLLER).get(key)
    if found is None:
        return None
    cache = look.caches.of(kinds.POD)
    owned = cache.by_index(indexes.CONTROLLER, objects.uid(found))
    selector = selectors.from_map(found["spec"].get("selector"))
    orphans = [
        pod
        for pod in cache.by_index(indexes.ORPHANS, objects.namespace(found))
        if pods.is_active(pod) and claims.is_adoptable(pod, selector)
    ]
    return Seen(
        replica_set=decide.as_replica_set(found),
        owned=owned,
        now=look.now,
        orphans=orphans,
        may_adopt=bool(orphans) and await live.is_alive(look.client, kinds.REPLICATION_CONTROLLER, found),
        neighbours=Counter(pods.node_name(pod) for pod in owned if pods.is_active(pod)),
        failure=look.failure,
    )
