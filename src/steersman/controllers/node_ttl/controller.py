"""What the node TTL controller watches and sees: all nodes under one key."""

from steersman.api import kinds
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.node_ttl import decide
from steersman.controllers.node_ttl.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object

KEY = "nodes"


def controller() -> Controller:
    step = 0

    def observe(look: Look, key: str) -> Seen:
        nonlocal step
        nodes = look.caches.of(kinds.NODE).list()
        step = decide.step(step, len(nodes))
        return Seen(nodes, step, look.now)

    return Controller(
        name="ttl-controller",
        watches=(Watch(kinds.NODE, lambda caches, obj: (KEY,), _matters),),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def _matters(old: Object | None, new: Object | None) -> bool:
    """Nodes come, go, or lose the annotation."""
    if old is None or new is None:
        return True
    return objects.annotations(old).get(decide.ANNOTATION) != objects.annotations(new).get(decide.ANNOTATION)
