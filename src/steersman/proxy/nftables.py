"""Put the rules into the kernel: whole, or element by element; and forget the connections they no longer stand for.

Writes: one nftables table, conntrack entries (UDP) of endpoints that left.  Leaves to others: what the rules say (`rules.py`).
All calls block for as long as the kernel works (a third of a millisecond for one endpoint): call them from a thread.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from steersman.network import conntrack, libnftables
from steersman.proxy import layout, rule_set, rules

TABLE = "steersman-services"
POD_CIDR = "10.244.0.0/16"

_DEFAULT = layout.Table(TABLE, POD_CIDR)

_PORTION = 500  # elements; some 100 bytes each as netlink messages, twice that when they change


class Backend(Protocol):
    """What the controller needs; `Nftables` is the real one."""

    def replace(self, elements: Mapping[rules.Element, str]) -> None:
        """Make exactly these rules stand, in one transaction, whatever stood before."""

    def apply(self, change: rule_set.Change) -> None:
        """Raises OSError when it cannot be; then nothing was changed, and only `replace` helps."""


class Nftables:
    """The rules in the calling thread's network namespace, or in the one at `namespace_path` (for the host's own: any path to
    it). The table's name must be the cluster's own where clusters share a namespace."""

    def __init__(self, namespace_path: str | None = None, *, table: layout.Table = _DEFAULT) -> None:
        self._table = table
        self._context = libnftables.Context(namespace_path)
        self._conntrack = conntrack.Conntrack(namespace_path, rules.FAMILIES[table.family])
        self._chains: set[str] = set()

    def close(self) -> None:
        """Let go; the rules stay and keep working."""
        self._context.close()
        self._conntrack.close()

    def replace(self, elements: Mapping[rules.Element, str]) -> None:
        clients = self._clients(elements)
        try:
            self._context.run(layout.program(self._table, elements) + clients)
        except libnftables.Refused as refused:
            if not refused.is_too_long:
                raise
            self._context.run(layout.program(self._table, {}))
            self._chains = set()
            self._change_in_portions(rule_set.Change(added=dict(elements)))
        self._context.run(
            f"add table {self._table.full_name}\n"
        )  # lets libnftables free what it remembers of the last command
        self._chains = rules.chains(elements)
        self._forget_unserved(elements)

    def _clients(self, elements: Mapping[rules.Element, str]) -> str:
        """Who was led to which endpoint by the rules that stand, where both are still there: to be put in again."""
        endpoints = {value for (name, _), value in elements.items() if name.endswith("endpoints")}
        numbers = {key: value for (name, key), value in elements.items() if name == "affinity_timeouts"}
        if not numbers:
            return ""
        try:
            listing = json.loads(self._context.run(f"list map {self._table.full_name} affinity", json=True))
        except libnftables.Refused:
            return ""  # there is no earlier table
        kept = []
        for key, target in _elements(listing):
            client, left = _affinity_key(key), key.get("elem", {}).get("expires", 0)
            seconds = numbers.get(client.split(" . ")[1], "").rpartition("-")[2]
            if seconds and left and _target(target) in endpoints:
                kept.append(f"{client} timeout {seconds}s expires {min(int(left), int(seconds))}s : {_target(target)}")
        name = self._table.full_name
        return "".join(f"add element {name} affinity {{ {', '.join(batch)} }}\n" for batch in layout.batches(kept))

    def apply(self, change: rule_set.Change) -> None:
        try:
            self._change(change)
        except libnftables.Refused as refused:
            if not refused.is_too_long:
                raise
            self._change_in_portions(change)
        self._forget_connections(change)
        self._forget_clients(change)

    def remove(self) -> None:
        """Leave no rules."""
        self._context.run(f"table {self._table.full_name} {{}}\ndelete table {self._table.full_name}\n")
        self._chains = set()

    def _change(self, change: rule_set.Change) -> None:
        new_chains = rules.chains(change.added) - self._chains
        self._context.run(layout.changes(self._table, change.removed, change.added, new_chains))
        self._chains |= new_chains

    def _change_in_portions(self, change: rule_set.Change) -> None:
        """Without root the kernel takes no more than a few hundred kilobytes at once, so a large change is no longer one
        transaction (each element still is). Endpoints come before the verdicts that lead to them."""
        for portion in rule_set.portions(change, _PORTION):
            self._change(portion)

    def _forget_unserved(self, elements: Mapping[rules.Element, str]) -> None:
        """What changed while nobody looked: connections to Services that go to no endpoint of theirs."""
        served = rule_set.served_by_udp(elements)
        if not served:
            return

        def is_stale(flow: conntrack.Flow) -> bool:
            if flow.protocol != conntrack.NUMBERS["udp"]:
                return False
            endpoints = served.get((flow.address, flow.port))
            if endpoints is None and flow.endpoint != flow.address:
                endpoints = served.get(("", flow.port))
            return endpoints is not None and flow.endpoint not in endpoints

        self._conntrack.forget(is_stale)

    def _forget_connections(self, change: rule_set.Change) -> None:
        stale = rule_set.stale_flows(change)
        if stale:
            self._conntrack.forget(
                lambda flow: (
                    flow.protocol == conntrack.NUMBERS["udp"]
                    and ((flow.address, flow.port, flow.endpoint) in stale or ("", flow.port, flow.endpoint) in stale)
                )
            )

    def _forget_clients(self, change: rule_set.Change) -> None:
        """Clients that were remembered for an endpoint that left must choose anew."""
        gone = rule_set.left_targets(change)
        if not gone or not any(chain.startswith("record-") for chain in self._chains):
            return
        listing = json.loads(self._context.run(f"list map {self._table.full_name} affinity", json=True))
        keys = [_affinity_key(key) for key, target in _elements(listing) if _target(target) in gone]
        for batch in layout.batches(keys):
            self._context.run(f"delete element {self._table.full_name} affinity {{ {', '.join(batch)} }}\n")


def _elements(listing: dict[str, Any]) -> list[Any]:
    return [element for item in listing["nftables"] for element in item.get("map", {}).get("elem", ())]


def _affinity_key(key: dict[str, Any]) -> str:
    element = key.get("elem", {}).get("val", key)
    return " . ".join(str(part) for part in element["concat"])


def _target(value: dict[str, Any]) -> str:
    return " . ".join(str(part) for part in value["concat"])
