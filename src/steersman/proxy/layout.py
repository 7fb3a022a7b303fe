"""The nftables program the maps of `rules.py` plug into, as text. Pure.

One lookup finds the verdict of a connection whatever the number of Services; the verdict's chain picks one of N endpoints by a
second lookup. There is one chain per number of endpoints, none per Service: thousands of chains take the kernel minutes.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from steersman.proxy import rules

_MASQUERADE_MARK = "0x4000"  # upstream's own bit: other programs know to leave it alone
_AFFINITY_CLIENTS_MAX = 262_144  # 64 bytes each at the most; beyond that, new clients are simply not remembered

_BATCH_MAX = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """How nftables writes an address family: the table's and packets' word, an address' type, the loopback network, the way to
    say no, and who must always be heard."""

    word: str
    address: str
    loopback: str
    refusal: str

    @property
    def vip(self) -> str:
        return f"{self.address} . inet_proto . inet_service"

    @property
    def vip_of_packet(self) -> str:
        return f"{self.word} daddr . meta l4proto . th dport"


FAMILIES = {
    "IPv4": Family("ip", "ipv4_addr", "127.0.0.0/8", "icmp port-unreachable"),
    "IPv6": Family("ip6", "ipv6_addr", "::1", "icmpv6 port-unreachable"),
}

_PORT = "inet_proto . inet_service"
_PORT_OF_PACKET = "meta l4proto . th dport"

# The random number travels in the packet's priority, because a map's key needs parts that have a type, and a bare random number
# has none. (Declaring the map by `typeof` instead makes nftables 1.0.6 refuse any later rule.) Only the first packet of a
# connection carries it, and forwarding sets it anew.
_SETS = {
    "services": "map {{ type {vip} : verdict; }}",
    "external_local": "map {{ type {vip} : verdict; }}",
    "node_ports": "map {{ type {port} : verdict; }}",
    "node_ports_local": "map {{ type {port} : verdict; }}",
    "endpoints": "map {{ type {vip} . classid : {endpoint}; }}",
    "local_endpoints": "map {{ type {vip} . classid : {endpoint}; }}",
    "node_endpoints": "map {{ type {port} . classid : {endpoint}; }}",
    "node_local_endpoints": "map {{ type {port} . classid : {endpoint}; }}",
    "affinity_ids": "map {{ type {vip} : mark; }}",
    "node_affinity_ids": "map {{ type {port} : mark; }}",
    "affinity_timeouts": "map {{ type mark : verdict; }}",
    "cluster_ips": "set {{ type {address}; }}",
    "hairpin": "set {{ type {address} . {address}; }}",
    "guarded": "set {{ type {vip}; }}",
    "allowed_sources": "set {{ type {vip} . {address}; flags interval; }}",
}

# Filled by packets: which endpoint a client (address, affinity number, protocol) was led to.
_AFFINITY = (
    "map affinity {{ type {address} . mark . inet_proto : {endpoint}\nsize {clients}; flags dynamic,timeout; }}\n"
)

# `dispatch` is entered once per connection (nat chains see only its first packet).
# Refusing comes by TCP reset, because the kernel limits the rate of ICMP errors and a limited one is a client that hangs.
_PROGRAM = """
chain refuse {{
 meta l4proto tcp reject with tcp reset
 reject with {refusal}
}}
chain guard {{
 {vip_of_packet} . {word} saddr @allowed_sources return
 drop
}}
chain from_elsewhere {{
 {word} saddr {pods} return
 {vip_of_packet} vmap @external_local
 fib daddr type local {not_loopback} meta l4proto . th dport vmap @node_ports_local
 {word} daddr @cluster_ips meta mark set meta mark or {mark}
}}
chain dispatch {{
 {vip_of_packet} @guarded jump guard
 {vip_of_packet} vmap @services
 fib daddr type local {not_loopback} meta l4proto . th dport vmap @node_ports
 {word} daddr @cluster_ips goto refuse
}}
chain remember {{
 ct status dnat ct mark vmap @affinity_timeouts
}}
chain arriving {{
 type nat hook prerouting priority dstnat;
 jump from_elsewhere
 jump dispatch
}}
chain starting {{
 type nat hook output priority -100;
 jump dispatch
}}
chain delivered {{
 type nat hook input priority 100;
 jump remember
}}
chain leaving {{
 type nat hook postrouting priority srcnat;
 jump remember
 ct status dnat meta mark and {mark} == {mark} masquerade fully-random
 ct status dnat {word} saddr . {word} daddr @hairpin masquerade fully-random
}}
"""

# In a namespace of a node's own: a packet that connection tracking cannot place (late, or of a peer gone mad) is not passed
# on, because its address would not be translated back and the client would answer it with a reset.
# Translated loopback connections need `route_localnet`; so nobody from outside may speak to 127.0.0.0/8.
_OWN_NAMESPACE = """
chain passing {{
 type filter hook forward priority filter;
 ct state invalid drop
}}
chain loopback_only {{
 type filter hook prerouting priority raw;
 {word} daddr {loopback} iifname != "lo" drop
}}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Whose rules they are: `pods` is where no source is ever replaced; in a namespace of the node's `own` the loopback address
    serves node ports, too."""

    name: str
    pods: str
    family: str = "IPv4"
    own: bool = False

    @property
    def words(self) -> Family:
        return FAMILIES[self.family]

    @property
    def full_name(self) -> str:
        return f"{self.words.word} {self.name}"


def program(table: Table, elements: Mapping[rules.Element, str]) -> str:
    """Replace whatever `table` holds by the whole program, in one transaction."""
    chains = sorted(rules.chains(elements))
    words, name = table.words, table.full_name
    endpoint = f"{words.address} . inet_service"
    parts = [f"table {name} {{}}\ndelete table {name}\ntable {name} {{\n"]
    filled = dict(grouped(elements))
    for set_name, declaration in _SETS.items():
        kind, _, body = declaration.format(
            vip=words.vip, port=_PORT, address=words.address, endpoint=endpoint
        ).partition(" ")
        content = ",\n".join(filled.get(set_name, ()))
        members = f" elements = {{ {content} }}\n" if content else ""
        parts.append(f"{kind} {set_name} {body[:-1]}{members}}}\n")
    parts.append(_AFFINITY.format(address=words.address, endpoint=endpoint, clients=_AFFINITY_CLIENTS_MAX))
    text = _PROGRAM + (_OWN_NAMESPACE if table.own else "")
    parts.append(
        text.format(
            pods=table.pods,
            mark=_MASQUERADE_MARK,
            word=words.word,
            loopback=words.loopback,
            refusal=words.refusal,
            vip_of_packet=words.vip_of_packet,
            not_loopback="" if table.own and table.family == "IPv4" else f"{words.word} daddr != {words.loopback}",
        )
    )
    for chain in chains:
        lines = "\n".join(chain_rules(chain, words))
        parts.append(f"chain {chain} {{\n{lines}\n}}\n")
    parts.append("}\n")
    return "".join(parts)


def changes(table: Table, removed: rules.Elements, added: rules.Elements, new_chains: Iterable[str]) -> str:
    """One transaction that changes elements, after making the chains that new verdicts lead to."""
    commands = []
    whole = table.full_name
    for chain in sorted(new_chains):
        commands.append(f"add chain {whole} {chain}")
        commands += [f"add rule {whole} {chain} {rule}" for rule in chain_rules(chain, table.words)]
    for name, members in grouped(dict.fromkeys(removed, "")):
        commands.append(f"delete element {whole} {name} {{ {', '.join(members)} }}")
    for name, members in grouped(added):
        commands.append(f"add element {whole} {name} {{ {', '.join(members)} }}")
    return "\n".join(commands) + "\n"


def chain_rules(chain: str, family: Family) -> list[str]:
    """The rules of a chain named by `rules.py`: `SCOPE-N`, `sticky-SCOPE-N` or `record-SECONDS`."""
    first, _, rest = chain.partition("-")
    word = family.word
    if first == "record":
        target = f"{word} saddr . ct mark . meta l4proto timeout {rest}s : {word} daddr . th dport"
        return [f"update @affinity {{ {target} }}"]
    if first == "sticky":
        return _sticky_rules(rest, family)
    name, _, count = chain.rpartition("-")
    scope = rules.SCOPES[name]
    found = [f"meta mark set meta mark or {_MASQUERADE_MARK}"] if scope.masquerade else []
    if count != "1":
        found += [f"meta priority set numgen random mod {count}", _pick(scope, family)]
    # A packet on its way while the number of endpoints changes may have found a chain that picks a number which is gone:
    # number 0 is always there. (And if it is not: dropped, so that the client tries again and does not wander off.)
    return [*found, "meta priority set 0", _pick(scope, family), "drop"]


def _pick(scope: rules.Scope, family: Family) -> str:
    key = family.vip_of_packet if scope.by_address else _PORT_OF_PACKET
    return f"dnat {family.word} addr . port to {key} . meta priority map @{scope.endpoints}"


def _sticky_rules(chain: str, family: Family) -> list[str]:
    """A client that is remembered goes where it went last time. The connection's mark carries the port's affinity number to
    `remember`, which sees the packet after its destination was translated."""
    scope = rules.SCOPES[chain.rpartition("-")[0]]
    by_address = (family.vip_of_packet, "affinity_ids")
    key, ids = by_address if scope.by_address else (_PORT_OF_PACKET, "node_affinity_ids")
    found = [f"meta mark set meta mark or {_MASQUERADE_MARK}"] if scope.masquerade else []
    found.append(f"ct mark set {key} map @{ids}")
    found.append(f"dnat {family.word} addr . port to {family.word} saddr . ct mark . meta l4proto map @affinity")
    return [*found, f"goto {chain}"]


def grouped(elements: Mapping[rules.Element, str]) -> Iterable[tuple[str, list[str]]]:
    """(map, members as nftables writes them) for each map that has any."""
    by_map: dict[str, list[str]] = {}
    for (name, key), value in elements.items():
        by_map.setdefault(name, []).append(f"{key} : {value}" if value else key)
    return by_map.items()


def batches(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    """Keys in portions of a size that nftables parses in a few milliseconds."""
    return (keys[at : at + _BATCH_MAX] for at in range(0, len(keys), _BATCH_MAX))
