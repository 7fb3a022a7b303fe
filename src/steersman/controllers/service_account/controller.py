"""What the ServiceAccount controller watches and sees."""

from steersman.api import kinds
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.service_account import decide
from steersman.controllers.service_account.decide import Seen
from steersman.meta import objects


def controller() -> Controller:
    return Controller(
        name="service-account-controller",
        watches=(
            Watch(kinds.NAMESPACE, lambda caches, obj: (objects.name(obj),)),
            Watch(
                kinds.SERVICE_ACCOUNT,
                lambda caches, obj: (objects.namespace(obj),),
                lambda old, new: new is None and old is not None and objects.name(old) == decide.NAME,
            ),
        ),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def observe(look: Look, key: str) -> Seen | None:
    namespace = look.caches.of(kinds.NAMESPACE).get(key)
    if namespace is None:
        return None
    return Seen(namespace, look.caches.of(kinds.SERVICE_ACCOUNT).get(f"{key}/{decide.NAME}") is not None)
