"""What claim protection watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds, volumes
from steersman.client.cache import Caches
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.persistent_volume import controller as binder
from steersman.controllers.pvc_protection import decide
from steersman.controllers.pvc_protection.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object


def controller() -> Controller:
    return Controller(
        name="pvc-protection-controller",
        watches=(
            Watch(kinds.PERSISTENT_VOLUME_CLAIM, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.POD, keys_of_pod),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(binder.used_claims(),),
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    claims = caches.of(kinds.PERSISTENT_VOLUME_CLAIM)
    for name in volumes.claim_names(pod):
        claim = claims.get(f"{objects.namespace(pod)}/{name}")
        if claim is not None and objects.is_terminating(claim):
            yield objects.key(claim)


async def observe(look: Look, key: str) -> Seen | None:
    """Before the finalizer goes the API server is asked who uses the claim: the cache may not know a new pod yet."""
    claim = look.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).get(key)
    if claim is None:
        return None
    users = look.caches.of(kinds.POD).by_index(binder.USED_CLAIM, key)
    if not objects.is_terminating(claim) or any(decide.uses(pod, claim) for pod in users):
        return Seen(claim, users)
    return Seen(claim, (await look.client.list(kinds.POD, objects.namespace(claim))).items)
