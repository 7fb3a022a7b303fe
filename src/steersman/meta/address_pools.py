"""Pools of addresses as people write them: `192.168.1.240-192.168.1.250, 10.0.0.0/28, 10.1.1.1, fd00::/120`."""

import dataclasses
import ipaddress
from collections.abc import Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PoolError(ValueError):
    """The text is no pool; says which part."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """Ranges, both ends included, in the order they were written."""

    ranges: tuple[tuple[Address, Address], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(
            address.version == first.version and int(first) <= int(address) <= int(last) for first, last in self.ranges
        )

    def addresses(self, version: int) -> Iterator[str]:
        """All of one IP version, in order."""
        for first, last in self.ranges:
            if first.version == version:
                for number in range(int(first), int(last) + 1):
                    yield str(type(first)(number))


def parse(text: str) -> Pool:
    """Raises PoolError."""
    found = []
    for part in text.replace("\n", ",").split(","):
        part = part.strip()
        if part:
            found.append(_range(part))
    return Pool(tuple(found))


def _range(part: str) -> tuple[Address, Address]:
    try:
        if "/" in part:
            network = ipaddress.ip_network(part, strict=False)
            first, last = network[0], network[-1]
            if network.version == 4 and network.prefixlen < 31:
                first, last = first + 1, last - 1  # the network itself and its broadcast address are nobody's
            return first, last
        start, dash, end = part.partition("-")
        first = ipaddress.ip_address(start.strip())
        last = ipaddress.ip_address(end.strip()) if dash else first
    except ValueError as wrong:
        raise PoolError(f"{part}: {wrong}") from None
    if first.version != last.version or int(first) > int(last):
        raise PoolError(f"{part}: the range ends before it begins")
    return first, last
