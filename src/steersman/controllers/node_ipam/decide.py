"""Give every node its own range of pod addresses out of the cluster's.

Reads: all Nodes (so that no range is given twice).  Writes: Node `spec.podCIDR` and `spec.podCIDRs`, once for ever.
Leaves to others: routes between the ranges (kubelet, network), addresses of pods.
"""

import dataclasses
import functools
import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Decision, Emit
from steersman.meta import objects
from steersman.meta.objects import Object

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`waiting` are the nodes without a range, `used` all ranges that are given. `cluster_cidrs`: one per address family,
    `mask_bits` the length of a node's range in each; the first `reserved` ranges are given by somebody else."""

    waiting: Sequence[Object]
    used: Sequence[str]
    cluster_cidrs: tuple[str, ...]
    mask_bits: tuple[int, ...]
    reserved: int = 0


def decide(seen: Seen) -> Decision:
    waiting = [node for node in seen.waiting if not objects.is_terminating(node)]
    if not waiting:
        return Decision(why="every node has its range")
    free = [
        _free(cidr, bits, seen.used, seen.reserved)
        for cidr, bits in zip(seen.cluster_cidrs, seen.mask_bits, strict=True)
    ]
    actions: list[Action] = []
    for node in sorted(waiting, key=_age):
        ranges = [next(one, None) for one in free]
        if None in ranges:
            text = f"Node {objects.name(node)} status is now: CIDRNotAvailable"
            actions.append(Emit(node, "Normal", "CIDRNotAvailable", text))
            continue
        texts = [str(one) for one in ranges]
        actions.append(decision.patch(kinds.NODE, node, {"spec": {"podCIDR": texts[0], "podCIDRs": texts}}))
    return Decision(tuple(actions), f"{len(waiting)} nodes without a range")


def ranges_of(node: Object) -> list[str]:
    spec = node.get("spec") or {}
    return list(spec.get("podCIDRs") or ()) or [text for text in (spec.get("podCIDR"),) if text]


def _age(node: Object) -> tuple[str, str]:
    return str(node["metadata"].get("creationTimestamp") or ""), objects.name(node)


def _free(cidr: str, bits: int, used: Iterable[str], reserved: int) -> Iterator[Network]:
    """The ranges that nobody has, in order, from the one numbered `reserved` on. Counted in whole ranges: thousands of nodes may
    join one by one."""
    whole = ipaddress.ip_network(cidr)
    shift = whole.max_prefixlen - bits
    start = int(whole.network_address)
    taken: set[int] = set()
    for text in used:
        one = _parse_given(text)
        if one is not None and one.overlaps(whole):
            first, last = (int(end) - start >> shift for end in (one.network_address, one.broadcast_address))
            taken.update(range(max(0, first), last + 1))
    for number in range(reserved, 1 << bits - whole.prefixlen):
        if number not in taken:
            yield ipaddress.ip_network((start + (number << shift), bits))


@functools.lru_cache(maxsize=65536)  # ranges of nodes are asked for again and again, and never change
def _parse_given(text: str) -> Network | None:
    """None of what is no range: a Node may come with one that nobody gave it."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
