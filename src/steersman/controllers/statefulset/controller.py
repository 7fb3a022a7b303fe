"""What the StatefulSet controller watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import claims, indexes, live, pods, revisions
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.statefulset import decide, identity
from steersman.controllers.statefulset.decide import Seen
from steersman.meta import objects, owners, selectors
from steersman.meta.objects import Object

KIND = "StatefulSet"


def controller() -> Controller:
    return Controller(
        name="statefulset-controller",
        watches=(
            Watch(kinds.STATEFUL_SET, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.POD, keys_of_pod),
            Watch(kinds.CONTROLLER_REVISION, keys_of_revision),
            Watch(kinds.PERSISTENT_VOLUME_CLAIM, keys_of_claim),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(
            indexes.by_controller(kinds.POD),
            indexes.orphans(kinds.POD),
            indexes.by_controller(kinds.CONTROLLER_REVISION),
            indexes.orphans(kinds.CONTROLLER_REVISION),
        ),
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    reference = owners.controller_of(pod)
    if reference is not None:
        return (f"{objects.namespace(pod)}/{reference['name']}",) if reference["kind"] == KIND else ()
    if pods.is_terminating(pod):
        return ()
    parent = objects.name(pod).rpartition("-")[0]
    found = caches.of(kinds.STATEFUL_SET).get(f"{objects.namespace(pod)}/{parent}") if parent else None
    if found is None or not selectors.object_matches(found["spec"].get("selector"), objects.labels(pod)):
        return ()
    return (objects.key(found),)


def keys_of_revision(caches: Caches, revision: Object) -> Iterable[str]:
    """A revision that someone deleted or changed is made again."""
    reference = owners.controller_of(revision)
    if reference is None or reference["kind"] != KIND:
        return ()
    return (f"{objects.namespace(revision)}/{reference['name']}",)


def keys_of_claim(caches: Caches, claim: Object) -> Iterable[str]:
    """A claim is named TEMPLATE-SET-ORDINAL; where the set's name begins is told by the sets there are."""
    parent, dash, number = objects.name(claim).rpartition("-")
    parts = parent.split("-") if dash and number.isdecimal() else []
    sets = caches.of(kinds.STATEFUL_SET)
    for start in range(1, len(parts)):
        key = f"{objects.namespace(claim)}/{'-'.join(parts[start:])}"
        if sets.get(key) is not None:
            yield key


async def observe(look: Look, key: str) -> Seen | None:
    found = look.caches.of(kinds.STATEFUL_SET).get(key)
    if found is None:
        return None
    uid, space = objects.uid(found), objects.namespace(found)
    pod_cache, revision_cache = look.caches.of(kinds.POD), look.caches.of(kinds.CONTROLLER_REVISION)
    selector = selectors.from_object(found["spec"].get("selector"))
    orphans = [
        pod
        for pod in pod_cache.by_index(indexes.ORPHANS, space)
        if identity.ordinal(found, pod) is not None and claims.is_adoptable(pod, selector)
    ]
    orphan_revisions = [
        one for one in revision_cache.by_index(indexes.ORPHANS, space) if claims.is_adoptable(one, selector)
    ]
    members = pod_cache.by_index(indexes.CONTROLLER, uid)
    needs_live_look = bool(orphans or orphan_revisions)
    return Seen(
        stateful_set=found,
        pods=members,
        revisions=revision_cache.by_index(indexes.CONTROLLER, uid),
        now=look.now,
        orphans=orphans,
        orphan_revisions=orphan_revisions,
        may_adopt=needs_live_look and await live.is_alive(look.client, kinds.STATEFUL_SET, found),
        taken=revision_cache.get(f"{space}/{revisions.next_name(found)}"),
        claims=_claims(look.caches, found, members),
        failure=look.failure,
    )


def _claims(caches: Caches, stateful_set: Object, members: Iterable[Object]) -> dict[str, Object]:
    """Those that the ordinals that are wanted or still there may use, by name."""
    cache, space, start = (
        caches.of(kinds.PERSISTENT_VOLUME_CLAIM),
        objects.namespace(stateful_set),
        identity.start(stateful_set),
    )
    if not stateful_set["spec"].get("volumeClaimTemplates"):
        return {}
    numbers = set(range(start, start + int(stateful_set["spec"].get("replicas", 1))))
    numbers |= {number for pod in members if (number := identity.ordinal(stateful_set, pod)) is not None}
    named = (name for number in numbers for name in identity.claims(stateful_set, number).values())
    found = {name: cache.get(f"{space}/{name}") for name in named}
    return {name: claim for name, claim in found.items() if claim is not None}
