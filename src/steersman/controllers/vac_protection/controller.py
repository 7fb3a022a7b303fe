"""What the protection of VolumeAttributesClasses watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.vac_protection import decide
from steersman.controllers.vac_protection.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object

_CLASS = "attributes-class"
_USERS = (kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME)


def controller() -> Controller:
    return Controller(
        name="vac-protection-controller",
        watches=(
            Watch(kinds.VOLUME_ATTRIBUTES_CLASS, lambda caches, obj: (objects.name(obj),)),
            *(Watch(kind, keys_of_user) for kind in _USERS),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=tuple(Index(kind, _CLASS, decide.names) for kind in _USERS),
        workers=1,
    )


def keys_of_user(caches: Caches, obj: Object) -> Iterable[str]:
    return decide.names(obj)


async def observe(look: Look, key: str) -> Seen | None:
    """Before the finalizer goes the API server is asked, past the cache."""
    found = look.caches.of(kinds.VOLUME_ATTRIBUTES_CLASS).get(key)
    if found is None:
        return None
    is_used = any(look.caches.of(kind).by_index(_CLASS, key) for kind in _USERS)
    if objects.is_terminating(found) and not is_used:
        pages = [await look.client.list(kind) for kind in _USERS]
        is_used = any(key in decide.names(one) for page in pages for one in page.items)
    return Seen(found, is_used)
