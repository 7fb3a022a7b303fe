"""The nftables program the maps of `rules.py` plug into, as text. Pure.

One lookup finds the verdict of a connection whatever the number of Services; the verdict's chain picks one of N endpoints by a
second lookup. There is one chain per number of endpoints, none per Service: thousands of chains take the kernel minutes.
"""

from collections.abc import Iterable, Mapping, Sequence

from steersman.proxy import rules

_MASQUERADE_MARK = "0x4000"  # upstream's own bit: other programs know to leave it alone
_AFFINITY_CLIENTS_MAX = 262_144  # 64 bytes each at the most; beyond that, new clients are simply not remembered

_BATCH_MAX = 1_000

_VIP = "ipv4_addr . inet_proto . inet_service"
_PORT = "inet_proto . inet_service"
_VIP_OF_PACKET = "ip daddr . meta l4proto . th dport"
_PORT_OF_PACKET = "meta l4proto . th dport"
_ENDPOINT = "ipv4_addr . inet_service"

# The random number travels in the packet's priority, because a map's key needs parts that have a type, and a bare random number
# has none. (Declaring the map by `typeof` instead makes nftables 1.0.6 refuse any later rule.) Only the first packet of a
# connection carries it, and forwarding sets it anew.
SETS = {
    "services": f"map services {{ type {_VIP} : verdict; }}",
    "external_local": f"map external_local {{ type {_VIP} : verdict; }}",
    "node_ports": f"map node_ports {{ type {_PORT} : verdict; }}",
    "node_ports_local": f"map node_ports_local {{ type {_PORT} : verdict; }}",
    "endpoints": f"map endpoints {{ type {_VIP} . classid : {_ENDPOINT}; }}",
    "local_endpoints": f"map local_endpoints {{ type {_VIP} . classid : {_ENDPOINT}; }}",
    "node_endpoints": f"map node_endpoints {{ type {_PORT} . classid : {_ENDPOINT}; }}",
    "node_local_endpoints": f"map node_local_endpoints {{ type {_PORT} . classid : {_ENDPOINT}; }}",
    "affinity_ids": f"map affinity_ids {{ type {_VIP} : mark; }}",
    "node_affinity_ids": f"map node_affinity_ids {{ type {_PORT} : mark; }}",
    "affinity_timeouts": "map affinity_timeouts { type mark : verdict; }",
    "cluster_ips": "set cluster_ips { type ipv4_addr; }",
    "hairpin": "set hairpin { type ipv4_addr . ipv4_addr; }",
}

# Filled by packets: which endpoint a client (address, affinity number, protocol) was led to.
_AFFINITY = f"""map affinity {{ type ipv4_addr . mark . inet_proto : {_ENDPOINT}
size {_AFFINITY_CLIENTS_MAX}; flags dynamic,timeout; }}"""

# `dispatch` is entered once per connection (nat chains see only its first packet).
# Refusing comes by TCP reset, because the kernel limits the rate of ICMP errors and a limited one is a client that hangs.
_PROGRAM = """
chain refuse {{
 meta l4proto tcp reject with tcp reset
 reject with icmp port-unreachable
}}
chain from_elsewhere {{
 ip saddr {pods} return
 ip daddr . meta l4proto . th dport vmap @external_local
 fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node_ports_local
 ip daddr @cluster_ips meta mark set meta mark or {mark}
}}
chain dispatch {{
 ip daddr . meta l4proto . th dport vmap @services
 fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node_ports
 ip daddr @cluster_ips goto refuse
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
 ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random
}}
"""


def program(table: str, elements: Mapping[rules.Element, str], pods: str) -> str:
    """Replace whatever `table` holds by the whole program, in one transaction."""
    chains = sorted(rules.chains(elements))
    parts = [f"table ip {table} {{}}\ndelete table ip {table}\ntable ip {table} {{\n"]
    filled = dict(grouped(elements))
    for name, declaration in SETS.items():
        content = ",\n".join(filled.get(name, ()))
        parts.append(f"{declaration[:-1]} elements = {{ {content} }}\n}}\n" if content else f"{declaration}\n")
    parts.append(f"{_AFFINITY}\n")
    parts.append(_PROGRAM.format(pods=pods, mark=_MASQUERADE_MARK))
    for chain in chains:
        lines = "\n".join(chain_rules(chain))
        parts.append(f"chain {chain} {{\n{lines}\n}}\n")
    parts.append("}\n")
    return "".join(parts)


def changes(table: str, removed: rules.Elements, added: rules.Elements, new_chains: Iterable[str]) -> str:
    """One transaction that changes elements, after making the chains that new verdicts lead to."""
    commands = []
    for chain in sorted(new_chains):
        commands.append(f"add chain ip {table} {chain}")
        commands += [f"add rule ip {table} {chain} {rule}" for rule in chain_rules(chain)]
    for name, members in grouped(dict.fromkeys(removed, "")):
        commands.append(f"delete element ip {table} {name} {{ {', '.join(members)} }}")
    for name, members in grouped(added):
        commands.append(f"add element ip {table} {name} {{ {', '.join(members)} }}")
    return "\n".join(commands) + "\n"


def chain_rules(chain: str) -> list[str]:
    """The rules of a chain named by `rules.py`: `SCOPE-N`, `sticky-SCOPE-N` or `record-SECONDS`."""
    first, _, rest = chain.partition("-")
    if first == "record":
        return [f"update @affinity {{ ip saddr . ct mark . meta l4proto timeout {rest}s : ip daddr . th dport }}"]
    if first == "sticky":
        return _sticky_rules(rest)
    name, _, count = chain.rpartition("-")
    scope = rules.SCOPES[name]
    found = [f"meta mark set meta mark or {_MASQUERADE_MARK}"] if scope.masquerade else []
    if count != "1":
        found += [f"meta priority set numgen random mod {count}", _pick(scope)]
    # A packet on its way while the number of endpoints changes may have found a chain that picks a number which is gone:
    # number 0 is always there. (And if it is not: dropped, so that the client tries again and does not wander off.)
    return [*found, "meta priority set 0", _pick(scope), "drop"]


def _pick(scope: rules.Scope) -> str:
    key = _VIP_OF_PACKET if scope.by_address else _PORT_OF_PACKET
    return f"dnat ip addr . port to {key} . meta priority map @{scope.endpoints}"


def _sticky_rules(chain: str) -> list[str]:
    """A client that is remembered goes where it went last time. The connection's mark carries the port's affinity number to
    `remember`, which sees the packet after its destination was translated."""
    scope = rules.SCOPES[chain.rpartition("-")[0]]
    key, ids = (_VIP_OF_PACKET, "affinity_ids") if scope.by_address else (_PORT_OF_PACKET, "node_affinity_ids")
    found = [f"meta mark set meta mark or {_MASQUERADE_MARK}"] if scope.masquerade else []
    found.append(f"ct mark set {key} map @{ids}")
    found.append("dnat ip addr . port to ip saddr . ct mark . meta l4proto map @affinity")
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
