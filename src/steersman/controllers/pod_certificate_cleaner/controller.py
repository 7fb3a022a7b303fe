"""What the cleaner of pods' certificate requests watches and sees."""

from steersman.api import kinds
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.pod_certificate_cleaner import decide
from steersman.controllers.pod_certificate_cleaner.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object


def controller() -> Controller:
    return Controller(
        name="podcertificaterequest-cleaner-controller",
        watches=(Watch(kinds.POD_CERTIFICATE_REQUEST, lambda caches, obj: (objects.key(obj),), _is_new),),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def observe(look: Look, key: str) -> Seen | None:
    request = look.caches.of(kinds.POD_CERTIFICATE_REQUEST).get(key)
    return Seen(request, look.now) if request is not None else None


def _is_new(old: Object | None, new: Object | None) -> bool:
    return old is None
