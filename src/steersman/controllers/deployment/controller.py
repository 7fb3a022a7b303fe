"""What the Deployment controller watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import claims, indexes, live, pods
from steersman.controllers.deployment import decide, sizes, template
from steersman.controllers.deployment.decide import Seen
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects, owners, selectors
from steersman.meta.objects import Object


def controller() -> Controller:
    return Controller(
        name="deployment-controller",
        watches=(
            Watch(kinds.DEPLOYMENT, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.REPLICA_SET, keys_of_replica_set),
            Watch(kinds.POD, keys_of_pod, _is_gone),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(
            indexes.by_controller(kinds.REPLICA_SET),
            indexes.orphans(kinds.REPLICA_SET),
            indexes.by_controller(kinds.POD),
        ),
    )


def keys_of_replica_set(caches: Caches, replica_set: Object) -> Iterable[str]:
    reference = owners.controller_of(replica_set)
    space = objects.namespace(replica_set)
    if reference is not None:
        return (f"{space}/{reference['name']}",) if reference["kind"] == "Deployment" else ()
    if objects.is_terminating(replica_set):
        return ()
    labels = objects.labels(replica_set)
    found = caches.of(kinds.DEPLOYMENT).list(space)
    return [objects.key(one) for one in found if selectors.object_matches(one["spec"].get("selector"), labels)]


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    """A Deployment that recreates waits for the last old pod to go."""
    reference = owners.controller_of(pod)
    if reference is None or reference["kind"] != "ReplicaSet":
        return ()
    replica_set = caches.of(kinds.REPLICA_SET).get(f"{objects.namespace(pod)}/{reference['name']}")
    if replica_set is None:
        return ()
    found = [caches.of(kinds.DEPLOYMENT).get(key) for key in keys_of_replica_set(caches, replica_set)]
    return [objects.key(one) for one in found if one is not None and not sizes.is_rolling(one)]


def _is_gone(old: Object | None, new: Object | None) -> bool:
    return new is None or (old is not None and pods.is_finished(new) and not pods.is_finished(old))


async def observe(look: Look, key: str) -> Seen | None:
    deployment = look.caches.of(kinds.DEPLOYMENT).get(key)
    if deployment is None:
        return None
    cache = look.caches.of(kinds.REPLICA_SET)
    space = objects.namespace(deployment)
    owned = cache.by_index(indexes.CONTROLLER, objects.uid(deployment))
    orphans = cache.by_index(indexes.ORPHANS, space)
    if orphans:
        selector = selectors.from_object(deployment["spec"].get("selector"))
        orphans = [one for one in orphans if claims.is_adoptable(one, selector)]
    new = template.find_new(deployment, owned)
    return Seen(
        deployment=deployment,
        owned=owned,
        now=look.now,
        orphans=orphans,
        may_adopt=bool(orphans) and await live.is_alive(look.client, kinds.DEPLOYMENT, deployment),
        taken=cache.get(f"{space}/{template.new_name(deployment)}") if new is None else None,
        old_pods_left=not sizes.is_rolling(deployment) and _old_pods_left(look.caches, owned, new),
        failure=look.failure,
    )


def _old_pods_left(caches: Caches, owned: Iterable[Object], new: Object | None) -> bool:
    cache = caches.of(kinds.POD)
    return any(
        not pods.is_finished(pod)
        for replica_set in owned
        if replica_set is not new
        for pod in cache.by_index(indexes.CONTROLLER, objects.uid(replica_set))
    )
