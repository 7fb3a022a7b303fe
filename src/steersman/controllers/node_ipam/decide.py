"""Give every node its own range of pod addresses out of the cluster's.

Reads: all Nodes (so that no range is given twice).  Writes: Node `spec.podCIDR` and `spec.podCIDRs`, once for ever.
Leaves to others: routes between the ranges (kubelet, network), addresses of pods.
"""

import dataclasses
import ipaddress
from collections.abc import Iterator, Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Decision, Emit
from steersman.meta import objects
from steersman.meta.objects import Object

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`cluster_cidrs`: one per address family, `mask_bits` the length of a node's range in each."""

    nodes: Sequence[Object]
    cluster_cidrs: tuple[str, ...]
    mask_bits: tuple[int, ...]


def decide(seen: Seen) -> Decision:
    waiting = [node for node in seen.nodes if not node["spec"].get("podCIDR") and not objects.is_terminating(node)]
    if not waiting:
        return Decision(why="every node has its range")
    used = [ipaddress.ip_network(text) for node in seen.nodes for text in _given(node)]
    free = [_free(cidr, bits, used) for cidr, bits in zip(seen.cluster_cidrs, seen.mask_bits, strict=True)]
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


def _given(node: Object) -> list[str]:
    spec = node["spec"]
    return list(spec.get("podCIDRs") or ()) or [text for text in (spec.get("podCIDR"),) if text]


def _age(node: Object) -> tuple[str, str]:
    return str(node["metadata"].get("creationTimestamp") or ""), objects.name(node)


def _free(cidr: str, bits: int, used: Sequence[Network]) -> Iterator[Network]:
    """The ranges that nobody has, in order."""
    whole = ipaddress.ip_network(cidr)
    same = {one for one in used if one.version == whole.version and one.prefixlen == bits}
    odd = [one for one in used if one.version == whole.version and one.prefixlen != bits]
    for candidate in whole.subnets(new_prefix=bits):
        if candidate not in same and not any(_overlap(candidate, one) for one in odd):
            yield candidate


def _overlap(one: Network, other: Network) -> bool:
    return one.overlaps(other)
