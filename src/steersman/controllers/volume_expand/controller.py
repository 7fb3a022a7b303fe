"""What the controller of growing claims watches and sees."""

from steersman.api import kinds, volumes
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.volume_expand import decide
from steersman.controllers.volume_expand.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object


def controller() -> Controller:
    return Controller(
        name="volume_expand",
        watches=(
            Watch(kinds.PERSISTENT_VOLUME_CLAIM, lambda caches, obj: (objects.key(obj),), _has_grown),
            Watch(kinds.PERSISTENT_VOLUME),
        ),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def observe(look: Look, key: str) -> Seen | None:
    claim = look.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).get(key)
    if claim is None or (claim.get("status") or {}).get("phase") != "Bound":
        return None
    return Seen(claim, look.caches.of(kinds.PERSISTENT_VOLUME).get(claim["spec"].get("volumeName", "")))


def _has_grown(old: Object | None, new: Object | None) -> bool:
    """Only a wish for more is looked at, once: what was told at its time need not be told at every start."""
    return old is not None and new is not None and volumes.requested_bytes(new) > volumes.requested_bytes(old)
