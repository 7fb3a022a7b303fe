"""What the node address controller watches and sees: all nodes under one key, so that no two are decided at once."""

from steersman.api import kinds
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.node_ipam import decide
from steersman.controllers.node_ipam.decide import Seen
from steersman.meta.objects import Object

KEY = "nodes"
_WAITING = "without-pod-range"
_RANGES = "pod-range"


def controller(cluster_cidrs: tuple[str, ...], mask_bits: tuple[int, ...], reserved: int = 0) -> Controller:
    def observe(look: Look, key: str) -> Seen:
        cache = look.caches.of(kinds.NODE)
        return Seen(cache.by_index(_WAITING, ""), cache.index_values(_RANGES), cluster_cidrs, mask_bits, reserved)

    return Controller(
        name="node-ipam-controller",
        watches=(Watch(kinds.NODE, lambda caches, obj: (KEY,), _needs_range),),
        observe=observe,
        decide=decide.decide,
        indexes=(
            Index(kinds.NODE, _WAITING, lambda node: () if decide.ranges_of(node) else ("",)),
            Index(kinds.NODE, _RANGES, decide.ranges_of),
        ),
        workers=1,
    )


def _needs_range(old: Object | None, new: Object | None) -> bool:
    """A range that is freed may be what another node waits for."""
    return new is None or not decide.ranges_of(new)
