"""How fast a pod may receive and send: annotations `kubernetes.io/ingress-bandwidth` and `kubernetes.io/egress-bandwidth`. Pure.

Quantities of bits per second, as upstream's `bandwidth` plugin reads them.
"""

import dataclasses
from collections.abc import Mapping

from steersman.meta import quantities

INGRESS, EGRESS = "kubernetes.io/ingress-bandwidth", "kubernetes.io/egress-bandwidth"
BITS_LEAST, BITS_MOST = 1_000, 10**15  # upstream's bounds of what is reasonable
_BURST_LEAST_BYTES = 65_536  # a packet before it is segmented
_BURSTS_PER_SECOND = 50
_QUEUE_PER_SECOND = 40  # what may wait: 25 ms


class Unreasonable(ValueError):
    """The annotation cannot be meant."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket: `rate` in bytes per second, `burst` and `queue` in bytes."""

    rate: int
    burst: int
    queue: int


def limits(annotations: Mapping[str, str]) -> tuple[Limit | None, Limit | None]:
    """(into the pod, out of it); None for as fast as it goes. Raises Unreasonable."""
    return _limit(annotations, INGRESS), _limit(annotations, EGRESS)


def _limit(annotations: Mapping[str, str], name: str) -> Limit | None:
    text = annotations.get(name)
    if not text:
        return None
    try:
        bits = quantities.whole(text)
    except ValueError as wrong:
        raise Unreasonable(f"{name}: {wrong}") from wrong
    if bits < BITS_LEAST:
        raise Unreasonable(f"{name}: resource is unreasonably small (< 1kbit)")
    if bits > BITS_MOST:
        raise Unreasonable(f"{name}: resource is unreasonably large (> 1Pbit)")
    rate = bits // 8
    burst = min(max(_BURST_LEAST_BYTES, rate // _BURSTS_PER_SECOND), 2**31)
    return Limit(rate, burst, min(rate // _QUEUE_PER_SECOND + burst, 2**32 - 1))
