"""What the root CA publisher watches and sees."""

from steersman.api import kinds
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.root_ca_publisher import decide
from steersman.controllers.root_ca_publisher.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object


def controller(root_ca: str) -> Controller:
    def observe(look: Look, key: str) -> Seen | None:
        namespace = look.caches.of(kinds.NAMESPACE).get(key)
        if namespace is None:
            return None
        return Seen(namespace, look.caches.of(kinds.CONFIG_MAP).get(f"{key}/{decide.NAME}"), root_ca)

    return Controller(
        name="root-ca-certificate-publisher-controller",
        watches=(
            Watch(kinds.NAMESPACE, lambda caches, obj: (objects.name(obj),)),
            Watch(kinds.CONFIG_MAP, lambda caches, obj: (objects.namespace(obj),), _is_ours),
        ),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def _is_ours(old: Object | None, new: Object | None) -> bool:
    obj = new if new is not None else old
    return obj is not None and objects.name(obj) == decide.NAME
