"""What the cleaner of certificate requests watches and sees."""

from steersman.api import kinds
from steersman.controllers.csr_cleaner import decide
from steersman.controllers.csr_cleaner.decide import Seen
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects


def controller() -> Controller:
    return Controller(
        name="certificatesigningrequest-cleaner-controller",
        watches=(Watch(kinds.CERTIFICATE_SIGNING_REQUEST, lambda caches, obj: (objects.key(obj),)),),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def observe(look: Look, key: str) -> Seen | None:
    request = look.caches.of(kinds.CERTIFICATE_SIGNING_REQUEST).get(key)
    return Seen(request, look.now) if request is not None else None
