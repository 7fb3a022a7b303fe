"""What the controller of generic ephemeral volumes watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds, volumes
from steersman.client.cache import Caches
from steersman.controllers.ephemeral_volume import decide
from steersman.controllers.ephemeral_volume.decide import Seen
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects, owners
from steersman.meta.objects import Object


def controller() -> Controller:
    return Controller(
        name="ephemeral_volume",
        watches=(
            Watch(kinds.POD, keys_of_pod, lambda old, new: new is not None and _spec(old) is not _spec(new)),
            Watch(kinds.PERSISTENT_VOLUME_CLAIM, keys_of_claim, lambda old, new: old is None or new is None),
        ),
        observe=observe,
        decide=decide.decide,
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    return (objects.key(pod),) if _ephemeral(pod) else ()


def keys_of_claim(caches: Caches, claim: Object) -> Iterable[str]:
    """A claim that goes while its pod needs it is made again."""
    reference = owners.controller_of(claim)
    if reference is None or reference["kind"] != "Pod":
        return ()
    return (f"{objects.namespace(claim)}/{reference['name']}",)


def observe(look: Look, key: str) -> Seen | None:
    pod = look.caches.of(kinds.POD).get(key)
    if pod is None or not _ephemeral(pod):
        return None
    space, cache = objects.namespace(pod), look.caches.of(kinds.PERSISTENT_VOLUME_CLAIM)
    names = [volumes.ephemeral_name(pod, volume) for volume in _ephemeral(pod)]
    found = {name: cache.get(f"{space}/{name}") for name in names}
    return Seen(pod, {name: claim for name, claim in found.items() if claim is not None})


def _ephemeral(pod: Object) -> list[Object]:
    return [one for one in pod["spec"].get("volumes") or () if one.get("ephemeral") is not None]


def _spec(pod: Object | None) -> object:
    return None if pod is None else pod["spec"]
