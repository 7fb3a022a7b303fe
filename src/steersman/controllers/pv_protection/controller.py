"""What volume protection watches and sees."""

from steersman.api import kinds
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.pv_protection import decide
from steersman.controllers.pv_protection.decide import Seen
from steersman.meta import objects


def controller() -> Controller:
    return Controller(
        name="pv-protection-controller",
        watches=(Watch(kinds.PERSISTENT_VOLUME, lambda caches, obj: (objects.key(obj),)),),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def observe(look: Look, key: str) -> Seen | None:
    volume = look.caches.of(kinds.PERSISTENT_VOLUME).get(key)
    return None if volume is None else Seen(volume)
