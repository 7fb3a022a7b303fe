"""Host ports of a node: connections to `hostPort` on any of the node's addresses (or one) go to the pod.

Two maps in nftables, one lookup each; the maps are the record, so that a later process knows what an earlier one opened.
127.0.0.1 is served, too: the node's namespace lets translated loopback packets out (`cluster_network`), with the node's address.
"""

import json
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from steersman.network import libnftables

_TABLE = "steersman-ports"
# Before the Services' chains (priority -100): the first translation wins. Chains are flushed and written again, maps are kept.
_LAYOUT = """
add table {table}
add map {table} any {{ type inet_proto . inet_service : {target}; }}
add map {table} bound {{ type {address} . inet_proto . inet_service : {target}; }}
add set {table} hairpin {{ type {address} . {address}; }}
add chain {table} ports
flush chain {table} ports
add rule {table} ports dnat {word} addr . port to {word} daddr . meta l4proto . th dport map @bound
add rule {table} ports fib daddr type local {outside}dnat {word} addr . port to meta l4proto . th dport map @any
add chain {table} arriving {{ type nat hook prerouting priority -110; }}
flush chain {table} arriving
add rule {table} arriving jump ports
add chain {table} starting {{ type nat hook output priority -110; }}
flush chain {table} starting
add rule {table} starting jump ports
add chain {table} leaving {{ type nat hook postrouting priority 95; }}
flush chain {table} leaving
add rule {table} leaving ct status dnat {word} saddr . {word} daddr @hairpin masquerade
{loopback}
"""
_WORDS = {
    4: ("ip", "ipv4_addr", "", "add rule {table} leaving ct status dnat ip saddr 127.0.0.0/8 masquerade"),
    6: ("ip6", "ipv6_addr", "ip6 daddr != ::1 ", ""),  # no namespace lets translated packets from ::1 out
}


class PortMapping(Protocol):
    @property
    def container_port(self) -> int: ...

    @property
    def host_port(self) -> int: ...

    @property
    def protocol(self) -> str: ...

    @property
    def host_address(self) -> str: ...


class HostPorts:
    """Of one IP version; `context` is bound to the node's namespace."""

    def __init__(self, context: libnftables.Context, version: int = 4) -> None:
        self._nftables = context
        self._version = version
        self._word, self._address, self._outside, self._loopback = _WORDS[version]
        self._table = f"{self._word} {_TABLE}"
        self._ready = False
        self._lock = threading.Lock()  # pods come and go in several threads; what is held must be what nftables holds
        self._held = self._observe()  # (map, key) → target of every open port

    def open(self, address: str, mappings: Sequence[PortMapping]) -> None:
        """Lead the host ports of the pod at `address` to it; one that another pod holds is taken over."""
        wanted = {
            _element(mapping): f"{address} . {mapping.container_port}"
            for mapping in mappings
            if mapping.host_port and self._is_here(mapping.host_address)
        }
        if not wanted:
            return
        with self._lock:
            if not self._ready:
                self._nftables.run(self._layout())
                self._ready = True
            commands = [self._delete(element, self._held[element]) for element in wanted if element in self._held]
            for (name, key), target in wanted.items():
                commands.append(f"add element {self._table} {name} {{ {key} : {target} }}")
            commands.append(f"add element {self._table} hairpin {{ {address} . {address} }}")
            self._nftables.run("\n".join(commands))
            self._held.update(wanted)

    def _layout(self) -> str:
        return _LAYOUT.format(
            table=self._table,
            word=self._word,
            address=self._address,
            target=f"{self._address} . inet_service",
            outside=self._outside,
            loopback=self._loopback.format(table=self._table),
        )

    def close(self, address: str) -> None:
        """Close every host port that leads to `address`."""
        self._close_where(lambda target: target == address)

    def keep_only(self, addresses: Collection[str]) -> None:
        """Close every host port that leads to no pod of these."""
        self._close_where(lambda target: target not in addresses)

    def _close_where(self, is_gone: Callable[[str], bool]) -> None:
        with self._lock:
            gone = {element: target for element, target in self._held.items() if is_gone(_address(target))}
            if not gone:
                return
            commands = [self._delete(element, target) for element, target in gone.items()]
            for address in sorted({_address(target) for target in gone.values()}):
                commands.append(f"add element {self._table} hairpin {{ {address} . {address} }}")  # may be gone already
                commands.append(f"delete element {self._table} hairpin {{ {address} . {address} }}")
            self._nftables.run("\n".join(commands))
            for element in gone:
                del self._held[element]

    def _is_here(self, address: str) -> bool:
        return address in ("", "0.0.0.0", "::") or (":" in address) == (self._version == 6)

    def _delete(self, element: tuple[str, str], target: str) -> str:
        name, key = element
        return f"delete element {self._table} {name} {{ {key} : {target} }}"

    def _observe(self) -> dict[tuple[str, str], str]:
        """What an earlier process opened."""
        found = {}
        try:
            for name in ("any", "bound"):
                for key, target in _elements(self._nftables.run(f"list map {self._table} {name}", json=True)):
                    found[name, key] = target
        except libnftables.Refused:
            return {}  # nobody has needed a host port here yet: there is no such table
        return found


def _address(target: str) -> str:
    return target.partition(" . ")[0]


def _element(mapping: PortMapping) -> tuple[str, str]:
    key = f"{mapping.protocol.lower() or 'tcp'} . {mapping.host_port}"
    if mapping.host_address in ("", "0.0.0.0", "::"):
        return "any", key
    return "bound", f"{mapping.host_address} . {key}"


def _elements(listing: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for item in json.loads(listing)["nftables"]:
        for key, target in item.get("map", {}).get("elem", ()):
            found.append((_joined(key), _joined(target)))
    return found


def _joined(value: dict[str, Any]) -> str:
    return " . ".join(str(part) for part in value["concat"])
