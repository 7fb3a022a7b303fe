"""What the packet filter of a node must hold for a set of NetworkPolicies. Pure.

Reads: NetworkPolicies, Pods, Namespaces, the name of the node.
Answers: `Program`: sets of addresses, chains of rules, and which chain judges each pod of the node, per direction. Sets and
chains are named after what they stand for, so that a pod that comes or goes changes elements and nothing else.
Leaves to others: pods on the host's network (a policy cannot tell them from their node).

Source: "Network Policies". A pod that no policy selects for a direction is open in that direction; one that any selects is
closed but for what the rules of all of them allow. A pod always reaches itself and its own node.
"""

import dataclasses
import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeVar

from steersman.meta import objects, selectors
from steersman.meta.objects import Object

Direction = Literal["ingress", "egress"]
DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")

_TYPES = {"ingress": "Ingress", "egress": "Egress"}
_PEERS = {"ingress": "from", "egress": "to"}
_PORT_MAX = 65535
Network = TypeVar("Network", ipaddress.IPv4Network, ipaddress.IPv6Network)


@dataclasses.dataclass(frozen=True, slots=True)
class Pod:
    """What policies see of a pod: one address per family. `ports`: name and protocol → number."""

    namespace: str
    labels: Mapping[str, str]
    addresses: tuple[str, ...]
    is_local: bool
    ports: Mapping[tuple[str, str], int]


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """One way a packet is allowed: all that is named must hold. `peers`, `ports`, `targets` name sets (`targets` of destination
    address, protocol and port); `protocol` alone means any port of it."""

    peers: str = ""
    ports: str = ""
    targets: str = ""
    protocol: str = ""


Kind = Literal["addresses", "networks", "ports", "targets"]


@dataclasses.dataclass(slots=True)
class Program:
    """Of one address family. `sets`: name → (kind, elements as nftables writes them). `rules`: the rules of one policy's direction.
    `judges`: name → the rules that together judge a pod. `pods`: direction → address of a local pod → its judge."""

    sets: dict[str, tuple[Kind, frozenset[str]]] = dataclasses.field(default_factory=dict)
    rules: dict[str, tuple[Match, ...]] = dataclasses.field(default_factory=dict)
    judges: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    pods: dict[Direction, dict[str, str]] = dataclasses.field(default_factory=lambda: {"ingress": {}, "egress": {}})


def decide(
    policies: Sequence[Object], pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]], version: int
) -> Program:
    """`namespaces`: name → labels."""
    compiler = _Compiler(pods, namespaces, version)
    for direction in DIRECTIONS:
        judging: dict[str, list[str]] = {}
        for policy in sorted(policies, key=objects.key):
            if _is_about(policy, direction):
                compiler.add(policy, direction, judging)
        compiler.judge(direction, judging)
    return compiler.program


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    """The first one of a connection, its destination translated already."""

    source: str
    target: str
    protocol: str
    port: int


def accepting_rules(program: Program, direction: Direction, packet: Packet) -> list[str] | None:
    """The rules that let the packet pass the pod's judge; empty when none does, None when nobody judges the pod."""
    who, peer = (packet.source, packet.target) if direction == "egress" else (packet.target, packet.source)
    judge = program.pods[direction].get(who)
    if judge is None:
        return None
    return [
        rules
        for rules in program.judges[judge]
        if any(_holds(program, match, peer, packet) for match in program.rules[rules])
    ]


def passes(program: Program, packet: Packet) -> bool:
    """What the packet filters of both pods' nodes say, if `program` is about both."""
    if packet.source == packet.target:
        return True
    return all(accepting_rules(program, direction, packet) != [] for direction in DIRECTIONS)


def _holds(program: Program, match: Match, peer: str, packet: Packet) -> bool:
    if match.peers:
        kind, elements = program.sets[match.peers]
        if kind == "addresses" and peer not in elements:
            return False
        if kind == "networks" and not any(ipaddress.ip_address(peer) in ipaddress.ip_network(one) for one in elements):
            return False
    if match.ports and not any(_has(one, packet) for one in program.sets[match.ports][1]):
        return False
    target = f"{packet.target} . {packet.protocol} . {packet.port}"
    if match.targets and target not in program.sets[match.targets][1]:
        return False
    return match.protocol in ("", packet.protocol)


def _has(element: str, packet: Packet) -> bool:
    wanted, _, numbers = element.partition(" . ")
    first, _, last = numbers.partition("-")
    return wanted == packet.protocol and int(first) <= packet.port <= int(last or first)


def pod_of(obj: Object, node: str, given: Sequence[str] = ()) -> Pod | None:
    """None for a pod without an address, on the host's network, or at its end. `given` are those it was given already."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if spec.get("hostNetwork") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    told = [one.get("ip", "") for one in status.get("podIPs") or ()] or [status.get("podIP") or ""]
    found = tuple(dict.fromkeys(one for one in (*given, *told) if one))
    if not found:
        return None
    ports = {
        (port["name"], port.get("protocol") or "TCP"): int(port["containerPort"])
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        for port in container.get("ports") or ()
        if port.get("name")
    }
    return Pod(objects.namespace(obj), objects.labels(obj), found, spec.get("nodeName") == node, ports)


def _is_about(policy: Object, direction: Direction) -> bool:
    spec = policy.get("spec") or {}
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return _TYPES[direction] in types


class _Compiler:
    def __init__(self, pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]], version: int) -> None:
        self.program = Program()
        self._version = version
        self._namespaces = namespaces
        self._by_namespace: dict[str, list[tuple[str, Pod]]] = {}
        for pod in pods:
            for address in pod.addresses:
                if (":" in address) == (version == 6):
                    self._by_namespace.setdefault(pod.namespace, []).append((address, pod))

    def add(self, policy: Object, direction: Direction, judging: dict[str, list[str]]) -> None:
        """Note in `judging` which local pods the policy's rules are about."""
        spec, space = policy.get("spec") or {}, objects.namespace(policy)
        chosen = selectors.from_object(spec.get("podSelector") or {})
        local = [
            (address, pod)
            for address, pod in self._by_namespace.get(space, ())
            if pod.is_local and chosen.matches(pod.labels)
        ]
        if not local:
            return
        matches: list[Match] = []
        for rule in spec.get(direction) or ():
            matches += self._rule(rule, direction, space, spec.get("podSelector") or {})
        name = _name(f"{direction}-", direction, tuple(matches))
        self.program.rules[name] = tuple(matches)
        for address, _ in local:
            judging.setdefault(address, []).append(name)

    def judge(self, direction: Direction, judging: Mapping[str, Sequence[str]]) -> None:
        for address, rules in judging.items():
            together = tuple(sorted(set(rules)))
            name = _name(f"{direction}-judge-", together)
            self.program.judges[name] = together
            self.program.pods[direction][address] = name

    def _rule(self, rule: Object, direction: Direction, space: str, chosen: Object) -> Iterable[Match]:
        peers = rule.get(_PEERS[direction])
        ports = rule.get("ports")
        from_ = self._peers(peers, space) if peers else [""]
        for one in from_:
            for where in self._ports(ports, direction, space, chosen, peers) if ports else [Match()]:
                yield dataclasses.replace(where, peers=one)

    def _peers(self, peers: Sequence[Object], space: str) -> list[str]:
        """Names of the sets that hold them, one for pods and one for networks at most."""
        blocks = [peer["ipBlock"] for peer in peers if peer.get("ipBlock")]
        others = [peer for peer in peers if not peer.get("ipBlock")]
        found = []
        if others:
            name = _name("pods-", "pods", space, [_identity(peer) for peer in others])
            self.program.sets[name] = "addresses", frozenset(address for address, _ in self._pods(others, space))
            found.append(name)
        if blocks:
            networks = _networks(blocks, self._version)
            name = _name("networks-", "networks", networks)
            self.program.sets[name] = "networks", frozenset(networks)
            found.append(name)
        return found

    def _pods(self, peers: Sequence[Object], space: str) -> Iterable[tuple[str, Pod]]:
        for peer in peers:
            pods = selectors.from_object(peer["podSelector"] if peer.get("podSelector") is not None else {})
            if peer.get("namespaceSelector") is None:
                spaces: Iterable[str] = (space,)
            else:
                wanted = selectors.from_object(peer["namespaceSelector"])
                spaces = [name for name, labels in self._namespaces.items() if wanted.matches(labels)]
            for name in spaces:
                for address, pod in self._by_namespace.get(name, ()):
                    if pods.matches(pod.labels):
                        yield address, pod

    def _ports(
        self, ports: Sequence[Object], direction: Direction, space: str, chosen: Object, peers: Sequence[Object] | None
    ) -> list[Match]:
        found: list[Match] = []
        numbers: set[str] = set()
        for port in ports:
            protocol, wanted = (port.get("protocol") or "TCP"), port.get("port")
            if wanted is None:
                found.append(Match(protocol=protocol.lower()))
            elif isinstance(wanted, int):
                end = port.get("endPort") or wanted
                numbers.add(f"{protocol.lower()} . {wanted}" + (f"-{end}" if end != wanted else ""))
            else:
                found.append(Match(targets=self._named(wanted, protocol, direction, space, chosen, peers)))
        if numbers:
            listed = _merged(numbers)
            name = _name("ports-", "ports", listed)
            self.program.sets[name] = "ports", frozenset(listed)
            found.append(Match(ports=name))
        return found

    def _named(
        self,
        port: str,
        protocol: str,
        direction: Direction,
        space: str,
        chosen: Object,
        peers: Sequence[Object] | None,
    ) -> str:
        """A port by name is another number at every pod it leads to: the policy's own pods, or the peers."""
        if direction == "ingress":
            targets: Iterable[tuple[str, Pod]] = self._pods([{"podSelector": chosen}], space)
        elif peers:
            targets = self._pods([peer for peer in peers if not peer.get("ipBlock")], space)
        else:
            targets = [one for pods in self._by_namespace.values() for one in pods]
        elements = frozenset(
            f"{address} . {protocol.lower()} . {pod.ports[port, protocol]}"
            for address, pod in targets
            if (port, protocol) in pod.ports
        )
        about = (
            [_identity(peer) for peer in peers or ()] if direction == "egress" else _identity({"podSelector": chosen})
        )
        name = _name("targets-", direction, space, port, protocol, about)
        self.program.sets[name] = "targets", elements
        return name


def _identity(peer: Object) -> tuple[str, ...]:
    """What a peer selects, whatever way it is written."""
    return tuple(
        f"{field}={_written(peer[field])}"
        for field in ("namespaceSelector", "podSelector")
        if peer.get(field) is not None
    )


def _written(selector: Object) -> str:
    return selectors.format(selectors.from_object(selector))


def _networks(blocks: Iterable[Object], version: int) -> tuple[str, ...]:
    """All blocks without their exceptions, as networks that do not overlap."""
    four: list[ipaddress.IPv4Network] = []
    six: list[ipaddress.IPv6Network] = []
    for block in blocks:
        whole = ipaddress.ip_network(block["cidr"], strict=False)
        exceptions = [ipaddress.ip_network(text, strict=False) for text in block.get("except") or ()]
        if isinstance(whole, ipaddress.IPv4Network):
            four += _without(whole, [one for one in exceptions if isinstance(one, ipaddress.IPv4Network)])
        else:
            six += _without(whole, [one for one in exceptions if isinstance(one, ipaddress.IPv6Network)])
    if version == 4:
        return tuple(str(one) for one in ipaddress.collapse_addresses(four))
    return tuple(str(one) for one in ipaddress.collapse_addresses(six))


def _without(whole: Network, exceptions: Iterable[Network]) -> list[Network]:
    left = [whole]
    for exception in exceptions:
        kept: list[Network] = []
        for one in left:
            if one.subnet_of(exception):
                continue
            kept += one.address_exclude(exception) if exception.subnet_of(one) else [one]
        left = kept
    return left


def _merged(numbers: Iterable[str]) -> tuple[str, ...]:
    """Ranges of ports that do not overlap, per protocol."""
    by_protocol: dict[str, list[tuple[int, int]]] = {}
    for text in numbers:
        protocol, _, ports = text.partition(" . ")
        start, _, end = ports.partition("-")
        by_protocol.setdefault(protocol, []).append((int(start), int(end or start)))
    found = []
    for protocol, ranges in sorted(by_protocol.items()):
        joined: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = joined[-1][0], max(last, joined[-1][1])
            else:
                joined.append((first, min(last, _PORT_MAX)))
        found += [
            f"{protocol} . {first}" if first == last else f"{protocol} . {first}-{last}" for first, last in joined
        ]
    return tuple(found)


def _name(prefix: str, *what: object) -> str:
    return prefix + hashlib.sha256(repr(what).encode()).hexdigest()[:16]
