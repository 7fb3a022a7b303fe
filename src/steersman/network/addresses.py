"""Which address of the node's pod CIDR the next pod gets. Pure.

They go round: an address that was given back is not given out again before its turn comes, so that a client which still holds
it does not meet a stranger.
"""

import ipaddress
from collections.abc import Collection


class AddressesExhausted(RuntimeError):
    """Every address of the node's pod CIDR is in use."""


def pick(cidr: ipaddress.IPv4Network, used: Collection[str], last: str) -> str:
    """The first free address after `last` (empty: from the start). The network's first two addresses and its last are
    never given out: upstream reserves them for the network, a bridge and broadcasts."""
    first, size = int(cidr.network_address) + 2, cidr.num_addresses - 3
    if size < 1:
        raise AddressesExhausted(f"{cidr} has no room for pods")
    start = 0
    if last:
        start = int(ipaddress.IPv4Address(last)) - first + 1
    for step in range(size):
        address = str(ipaddress.IPv4Address(first + (start + step) % size))
        if address not in used:
            return address
    raise AddressesExhausted(f"all {size} addresses of {cidr} are in use")
