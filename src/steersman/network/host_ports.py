"""Host ports of a node: connections to `hostPort` on any of the node's addresses (or one) go to the pod.

Two maps in nftables, one lookup each; the maps are the record, so that a later process knows what an earlier one opened.
127.0.0.0/8 is not served: the kernel drops translated loopback packets unless told otherwise for the whole namespace.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from steersman.network import libnftables

_TABLE = "steersman-ports"
_TARGET = "ipv4_addr . inet_service"

# Before the Services' chains (priority -100): the first translation wins. Chains are flushed and written again, maps are kept.
_LAYOUT = f"""
add table ip {_TABLE}
add map ip {_TABLE} any {{ type inet_proto . inet_service : {_TARGET}; }}
add map ip {_TABLE} bound {{ type ipv4_addr . inet_proto . inet_service : {_TARGET}; }}
add set ip {_TABLE} hairpin {{ type ipv4_addr . ipv4_addr; }}
add chain ip {_TABLE} ports
flush chain ip {_TABLE} ports
add rule ip {_TABLE} ports ip daddr 127.0.0.0/8 return
add rule ip {_TABLE} ports dnat ip addr . port to ip daddr . meta l4proto . th dport map @bound
add rule ip {_TABLE} ports fib daddr type local dnat ip addr . port to meta l4proto . th dport map @any
add chain ip {_TABLE} arriving {{ type nat hook prerouting priority -110; }}
flush chain ip {_TABLE} arriving
add rule ip {_TABLE} arriving jump ports
add chain ip {_TABLE} starting {{ type nat hook output priority -110; }}
flush chain ip {_TABLE} starting
add rule ip {_TABLE} starting jump ports
add chain ip {_TABLE} leaving {{ type nat hook postrouting priority 95; }}
flush chain ip {_TABLE} leaving
add rule ip {_TABLE} leaving ct status dnat ip saddr . ip daddr @hairpin masquerade
"""


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
    """`context` is bound to the node's namespace."""

    def __init__(self, context: libnftables.Context) -> None:
        self._nftables = context
        self._ready = False

    def open(self, address: str, mappings: Sequence[PortMapping]) -> None:
        """Lead the host ports of the pod at `address` to it; a mapping that another pod holds is taken over."""
        wanted = [mapping for mapping in mappings if mapping.host_port]
        if not wanted:
            return
        self._ensure_layout()
        held = self._held()
        commands = []
        for mapping in wanted:
            name, key = _element(mapping)
            if (name, key) in held:
                commands.append(f"delete element ip {_TABLE} {name} {{ {key} : {held[name, key]} }}")
            commands.append(f"add element ip {_TABLE} {name} {{ {key} : {address} . {mapping.container_port} }}")
        commands.append(f"add element ip {_TABLE} hairpin {{ {address} . {address} }}")
        self._nftables.run("\n".join(commands))

    def close(self, address: str) -> None:
        """Close every host port that leads to `address`."""
        self.keep_only(lambda target: target != address)

    def keep_only(self, is_wanted: "Wanted") -> None:
        """Close every host port whose pod address is not wanted."""
        held = {element: target for element, target in self._held().items() if not is_wanted(target.split(" ")[0])}
        if not held:
            return
        commands = [f"delete element ip {_TABLE} {name} {{ {key} : {to} }}" for (name, key), to in held.items()]
        gone = {target.split(" ")[0] for target in held.values()}
        commands += [f"delete element ip {_TABLE} hairpin {{ {address} . {address} }}" for address in sorted(gone)]
        self._nftables.run("\n".join(commands))

    def _ensure_layout(self) -> None:
        if not self._ready:
            self._nftables.run(_LAYOUT)
            self._ready = True

    def _held(self) -> dict[tuple[str, str], str]:
        """(map, key) → target of every open port."""
        if not self._ready and _TABLE not in self._nftables.run("list tables ip"):
            return {}
        found = {}
        for name in ("any", "bound"):
            for key, target in _elements(self._nftables.run(f"list map ip {_TABLE} {name}", json=True)):
                found[name, key] = target
        return found


class Wanted(Protocol):
    def __call__(self, address: str) -> bool: ...


def _element(mapping: PortMapping) -> tuple[str, str]:
    key = f"{mapping.protocol.lower() or 'tcp'} . {mapping.host_port}"
    if mapping.host_address in ("", "0.0.0.0"):
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
