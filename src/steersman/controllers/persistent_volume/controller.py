"""What the binder watches and sees. Keys with a slash are claims, the others volumes."""

from collections.abc import Iterable

from steersman.api import kinds, volumes
from steersman.client.cache import Caches
from steersman.controllers import live, pods
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.persistent_volume import decide, recycler
from steersman.controllers.persistent_volume.decide import SeenClaim, SeenVolume
from steersman.meta import objects
from steersman.meta.objects import Object

CLAIM = "claim"  # volumes by the claim they name
CLASS = "class"  # volumes without a claim, and claims without a volume, by class
USED_CLAIM = "used-claim"  # pods by the claims they use

NO_WORD = "*"  # in the place of a class: the claim says nothing at all


def controller() -> Controller:
    return Controller(
        name="persistentvolume-controller",
        watches=(
            Watch(kinds.PERSISTENT_VOLUME_CLAIM, keys_of_claim),
            Watch(kinds.PERSISTENT_VOLUME, keys_of_volume),
            Watch(kinds.STORAGE_CLASS, keys_of_class),
            Watch(kinds.POD, keys_of_pod, _pod_matters),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(
            Index(kinds.PERSISTENT_VOLUME, CLAIM, claim_of_volume),
            Index(kinds.PERSISTENT_VOLUME, CLASS, _class_of_free_volume),
            Index(kinds.PERSISTENT_VOLUME_CLAIM, CLASS, _class_of_waiting_claim),
            used_claims(),
        ),
    )


def used_claims() -> Index:
    """Pods by the keys of the claims they use, also those of generic ephemeral volumes."""
    return Index(kinds.POD, USED_CLAIM, _claims_of_pod)


def keys_of_claim(caches: Caches, claim: Object) -> Iterable[str]:
    yield objects.key(claim)
    if claim["spec"].get("volumeName"):
        yield str(claim["spec"]["volumeName"])
    for volume in caches.of(kinds.PERSISTENT_VOLUME).by_index(CLAIM, objects.key(claim)):
        yield objects.name(volume)


def keys_of_volume(caches: Caches, volume: Object) -> Iterable[str]:
    """Itself and its claim; one that is free may be what other claims of its class wait for."""
    yield objects.name(volume)
    yield from claim_of_volume(volume)
    claims = caches.of(kinds.PERSISTENT_VOLUME_CLAIM)
    for class_name in _class_of_free_volume(volume):
        waiting = claims.by_index(CLASS, class_name) + (claims.by_index(CLASS, NO_WORD) if not class_name else [])
        yield from (objects.key(claim) for claim in waiting)


def keys_of_class(caches: Caches, storage_class: Object) -> Iterable[str]:
    claims = caches.of(kinds.PERSISTENT_VOLUME_CLAIM)
    waiting = claims.by_index(CLASS, objects.name(storage_class))
    if volumes.is_default_class(storage_class):
        waiting = waiting + claims.by_index(CLASS, NO_WORD)
    return [objects.key(claim) for claim in waiting]


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    """A recycler's volume, and claims that wait for their first pod."""
    prefix = recycler.name({"metadata": {"name": ""}})
    if objects.namespace(pod) == recycler.NAMESPACE and objects.name(pod).startswith(prefix):
        yield objects.name(pod).removeprefix(prefix)
    claims = caches.of(kinds.PERSISTENT_VOLUME_CLAIM)
    for key in _claims_of_pod(pod):
        claim = claims.get(key)
        if claim is not None and not volumes.is_bound(claim):
            yield key


async def observe(look: Look, key: str) -> SeenClaim | SeenVolume | None:
    return _observe_claim(look, key) if "/" in key else await _observe_volume(look, key)


def _observe_claim(look: Look, key: str) -> SeenClaim | None:
    claim = look.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).get(key)
    if claim is None:
        return None
    cache, classes = look.caches.of(kinds.PERSISTENT_VOLUME), look.caches.of(kinds.STORAGE_CLASS)
    default = None if volumes.has_class(claim) else volumes.default_class(classes.list())
    users = look.caches.of(kinds.POD).by_index(USED_CLAIM, key)
    named = claim["spec"].get("volumeName")
    return SeenClaim(
        claim=claim,
        now=look.now,
        named=cache.get(named) if named else None,
        candidates=[*cache.by_index(CLAIM, key), *cache.by_index(CLASS, volumes.class_of(claim))],
        storage_class=classes.get(volumes.class_of(claim)) if volumes.class_of(claim) else None,
        default_class=objects.name(default) if default else "",
        waiting_pods=sorted(objects.name(pod) for pod in users if not pods.node_name(pod) and pods.is_active(pod)),
    )


async def _observe_volume(look: Look, key: str) -> SeenVolume | None:
    """A claim that the cache does not show is asked for: on a stale view somebody's data would be deleted."""
    volume = look.caches.of(kinds.PERSISTENT_VOLUME).get(key)
    if volume is None:
        return None
    reference, claim = volumes.claim_of(volume), None
    if reference.get("uid"):
        claim = look.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).get(f"{reference['namespace']}/{reference['name']}")
        if claim is None or objects.uid(claim) != reference["uid"]:
            kind = kinds.PERSISTENT_VOLUME_CLAIM
            claim = await live.get(look.client, kind, reference["name"], reference["namespace"])
    found = look.caches.of(kinds.POD).get(f"{recycler.NAMESPACE}/{recycler.name(volume)}")
    return SeenVolume(volume, look.now, claim, found)


def claim_of_volume(volume: Object) -> list[str]:
    reference = volumes.claim_of(volume)
    return [f"{reference.get('namespace', '')}/{reference.get('name', '')}"] if reference else []


def _class_of_free_volume(volume: Object) -> list[str]:
    return [] if volumes.claim_of(volume) else [volumes.class_of(volume)]


def _class_of_waiting_claim(claim: Object) -> list[str]:
    if volumes.BIND_COMPLETED in objects.annotations(claim):
        return []
    return [volumes.class_of(claim) if volumes.has_class(claim) else NO_WORD]


def _claims_of_pod(pod: Object) -> list[str]:
    return [f"{objects.namespace(pod)}/{name}" for name in volumes.claim_names(pod)]


def _pod_matters(old: Object | None, new: Object | None) -> bool:
    """Its coming, its end, its node: nothing else changes what is said of a claim."""
    if old is None or new is None:
        return True
    return (pods.phase(old), pods.node_name(old)) != (pods.phase(new), pods.node_name(new))
