"""The addresses of sandboxes on paper, where no network gives them any."""

import ipaddress
from collections.abc import Sequence

from steersman.containers.runtime import RuntimeFailure


class Addresses:
    """Host addresses of a network, each given out again only after all others had their turn."""

    def __init__(self, cidr: str) -> None:
        network = ipaddress.ip_network(cidr)
        self._network = network
        self._size = network.num_addresses
        self.next = 2  # .0 is the network, .1 the gateway
        self._used: set[int] = set()

    def keep(self, addresses: Sequence[str]) -> None:
        """They are in use already."""
        first = int(self._network[0])
        self._used |= {int(ipaddress.ip_address(address)) - first for address in addresses}

    def take(self) -> str:
        for _ in range(self._size):
            offset, self.next = self.next, self.next + 1
            if self.next >= self._size - 1:
                self.next = 2
            if offset not in self._used:
                self._used.add(offset)
                return str(self._network[offset])
        raise RuntimeFailure("CreatePodSandboxError", f"no addresses available in {self._network}")

    def give_back(self, addresses: Sequence[str]) -> None:
        first = int(self._network[0])
        self._used -= {int(ipaddress.ip_address(address)) - first for address in addresses}
