"""The packet filter as nftables text: all of it, or what changes it into another. Pure.

Two hooks, because a packet between pods of one node must pass both: `leaving` looks up who sends it, `arriving` who is to get it.
One look-up leads to the chain that judges the pod; it jumps to the rules of each policy, and drops what none of them accepts.
"""

from collections.abc import Iterable, Mapping

from steersman.network.policy import decide
from steersman.network.policy.decide import Match, Program

TABLE = "steersman-policy"
WORDS = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}

_SETS = {
    "addresses": "type {address};",
    "networks": "type {address}; flags interval;",
    "ports": "type inet_proto . inet_service; flags interval;",
    "targets": "type {address} . inet_proto . inet_service;",
}

# Established connections go on: also those that began before a policy. `always` is who a pod cannot shut out: its node's host.
_BASE = """
add table {table}
delete table {table}
add table {table}
add map {table} ingress {{ type {address} : verdict; }}
add map {table} egress {{ type {address} : verdict; }}
add set {table} itself {{ type {address} . {address}; }}
add chain {table} leaving {{ type filter hook forward priority filter - 5; }}
add rule {table} leaving ct state established,related accept
add rule {table} leaving {word} saddr . {word} daddr @itself accept
add rule {table} leaving {word} saddr vmap @egress
add chain {table} arriving {{ type filter hook forward priority filter - 4; }}
add rule {table} arriving ct state established,related accept
add rule {table} arriving {word} saddr . {word} daddr @itself accept
{always}
add rule {table} arriving {word} daddr vmap @ingress
"""


def program(wanted: Program, version: int, always: Iterable[str] = ()) -> str:
    """Replace whatever there is; without policies, by nothing."""
    word, address = WORDS[version]
    table = f"{word} {TABLE}"
    if not any(wanted.pods.values()):
        return f"add table {table}\ndelete table {table}\n"
    friends = "\n".join(f"add rule {table} arriving {word} saddr {one} accept" for one in always)
    base = _BASE.format(table=table, word=word, address=address, always=friends)
    return base + changes(Program(), wanted, version)


def changes(old: Program, new: Program, version: int) -> str:
    """One transaction. What is new is made before what leads to it, what is gone is taken away after it."""
    word, address = WORDS[version]
    table = f"{word} {TABLE}"
    commands: list[str] = []
    for name, (kind, elements) in new.sets.items():
        before = old.sets.get(name)
        if before is None:
            commands.append(f"add set {table} {name} {{ {_SETS[kind].format(address=address)} }}")
        commands += _elements(table, name, before[1] if before else frozenset(), elements)
    for name, matches in new.rules.items():
        if name not in old.rules:
            lines = [_rule(match, name, word) for match in matches]
            commands += [f"add chain {table} {name}", *(f"add rule {table} {name} {line}" for line in lines)]
    for name, rules in new.judges.items():
        if name not in old.judges:
            commands.append(f"add chain {table} {name}")
            commands += [f"add rule {table} {name} jump {rule}" for rule in rules]
            commands.append(f"add rule {table} {name} drop")
    for direction in decide.DIRECTIONS:
        commands += _members(table, direction, old.pods[direction], new.pods[direction])
    commands += _elements(table, "itself", _pairs(old), _pairs(new))
    gone = [*(name for name in old.judges if name not in new.judges)]
    gone += [name for name in old.rules if name not in new.rules]
    commands += [f"flush chain {table} {name}" for name in gone]
    commands += [f"delete chain {table} {name}" for name in gone]
    commands += [f"delete set {table} {name}" for name in old.sets if name not in new.sets]
    return "".join(f"{command}\n" for command in commands)


def _pairs(wanted: Program) -> frozenset[str]:
    return frozenset(f"{address} . {address}" for pods in wanted.pods.values() for address in pods)


def _rule(match: Match, chain: str, word: str) -> str:
    parts = []
    if match.peers:
        parts.append(f"{word} {'saddr' if chain.startswith('ingress') else 'daddr'} @{match.peers}")
    if match.ports:
        parts.append(f"meta l4proto . th dport @{match.ports}")
    if match.targets:
        parts.append(f"{word} daddr . meta l4proto . th dport @{match.targets}")
    if match.protocol:
        parts.append(f"meta l4proto {match.protocol}")
    return " ".join([*parts, "accept"])


def _elements(table: str, name: str, old: frozenset[str], new: frozenset[str]) -> list[str]:
    commands = []
    if old - new:
        commands.append(f"delete element {table} {name} {{ {', '.join(sorted(old - new))} }}")
    if new - old:
        commands.append(f"add element {table} {name} {{ {', '.join(sorted(new - old))} }}")
    return commands


def _members(table: str, name: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    gone = [f"{key} : goto {value}" for key, value in sorted(old.items()) if new.get(key) != value]
    come = [f"{key} : goto {value}" for key, value in sorted(new.items()) if old.get(key) != value]
    commands = []
    if gone:
        commands.append(f"delete element {table} {name} {{ {', '.join(gone)} }}")
    if come:
        commands.append(f"add element {table} {name} {{ {', '.join(come)} }}")
    return commands
