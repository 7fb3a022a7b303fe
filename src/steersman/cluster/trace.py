"""A packet's way from a pod to a Service, rule by rule. Pure: what the kernel holds is looked up through a `View`.

Answers `Step`s in the order in which the packet meets them. Each names the rule as `nft list ruleset` shows it, with what stands
in it now, so that a wrong element is seen where it is.
"""

import dataclasses
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol

from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.network.policy import decide as policies
from steersman.network.policy import layout as policy_layout
from steersman.proxy import layout, nftables, rules


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    where: str
    what: str


class View(Protocol):
    """One network namespace."""

    def element(self, table: str, name: str, key: str) -> str | None:
        """What stands under `key` in a map ("" in a set); None for nothing."""

    def route(self, address: str) -> str:
        """The route to an address, in words; "" for none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """`source` is the pod's address of the family that is asked about, `nodes` names by pod CIDR look-up: address → node;
    `is_elsewhere`: whether a node is another machine, which nobody can look into from here."""

    pod: Object
    source: str
    service: Object
    address: str
    port: Object
    node_of: Callable[[str], str]
    program: policies.Program
    is_elsewhere: Callable[[str], bool] = lambda node: False

    @property
    def node(self) -> str:
        return str(self.pod["spec"]["nodeName"])

    @property
    def family(self) -> str:
        return "IPv6" if ":" in self.address else "IPv4"


def title(asked: Asked) -> str:
    port = f"{asked.port['port']}/{asked.port.get('protocol', 'TCP')}"
    return (
        f"Pod {objects.key(asked.pod)} ({asked.source} on {asked.node}) → "
        f"Service {objects.key(asked.service)}, {asked.address} port {port}"
    )


def steps(asked: Asked, at: Callable[[str], View]) -> list[Step]:
    """`at` looks into the namespace of a node."""
    return list(_steps(asked, at))


def _steps(asked: Asked, at: Callable[[str], View]) -> Iterator[Step]:
    words = layout.FAMILIES[asked.family]
    table, here = f"{words.word} {nftables.TABLE}", at(asked.node)
    protocol, number = str(asked.port.get("protocol", "TCP")).lower(), int(asked.port["port"])
    key = f"{asked.address} . {protocol} . {number}"
    yield Step("pod", f"eth0: the default route leads to {asked.node}, which has a fixed neighbour entry for it")
    yield Step(asked.node, f"steersman-pods, spoofed: {asked.source} is the pod's own address: passes")
    yield Step(asked.node, f"{nftables.TABLE}, from_elsewhere: {words.word} saddr is a pod's: returns")
    if here.element(table, "guarded", key) is not None:
        yield Step(
            asked.node, f"guarded has {key}: chain guard lets the sources in allowed_sources pass, and drops others"
        )
    verdict = here.element(table, "services", key)
    if verdict is None:
        is_known = here.element(table, "cluster_ips", asked.address) is not None
        yield Step(
            asked.node, f"dispatch: services has no {key}: " + ("refused" if is_known else "no Service: goes on")
        )
        return
    yield Step(asked.node, f"dispatch: services {{ {key} }} = {verdict}")
    if not verdict.startswith("goto ") or verdict == rules.REFUSE:
        why = "the Service has no endpoint" if verdict == rules.REFUSE else "it has none on this node"
        yield Step(asked.node, f"{why}: " + ("refused at once" if verdict == rules.REFUSE else "dropped"))
        return
    target = yield from _chosen(asked, here, table, key, verdict)
    if target is None:
        return
    address, _, port = target.partition(" . ")
    packet = policies.Packet(asked.source, address, protocol, int(port))
    yield from _delivered(asked, at, packet)


def _chosen(asked: Asked, here: View, table: str, key: str, verdict: str) -> Generator[Step, None, str | None]:
    chain = verdict.removeprefix("goto ")
    if chain.startswith("sticky-"):
        number = here.element(table, "affinity_ids", key) or "?"
        protocol = str(asked.port.get("protocol", "TCP")).lower()
        known = here.element(table, "affinity", f"{asked.source} . {number} . {protocol}")
        yield Step(asked.node, f"chain {chain}: clients stay where they are; affinity knows this one: {known or 'no'}")
        if known:
            return known
        chain = chain.removeprefix("sticky-")
    count = int(chain.rpartition("-")[2])
    endpoints = [here.element(table, "endpoints", f"{key} . 0:{slot:x}") for slot in range(count)]
    shown = ", ".join(f"0:{slot:x} = {target or 'nothing'}" for slot, target in enumerate(endpoints))
    yield Step(
        asked.node, f"chain {chain}: a random number below {count} picks from endpoints {{ {key} . n }}: {shown}"
    )
    target = next((one for one in endpoints if one), None)
    if target is None:
        yield Step(asked.node, "no endpoint stands there: dropped")
        return None
    yield Step(asked.node, f"dnat to {target} (the first of them, for what follows)")
    return target


def _delivered(asked: Asked, at: Callable[[str], View], packet: policies.Packet) -> Iterator[Step]:
    far = asked.node_of(packet.target)
    yield Step(asked.node, f"route: {at(asked.node).route(packet.target) or 'none: unreachable'}")
    if not (yield from _judged(asked, at(asked.node), "egress", packet, asked.node)):
        return
    if far == asked.node and not (yield from _judged(asked, at(far), "ingress", packet, far)):
        return
    if packet.source == packet.target:
        yield Step(asked.node, "leaving: the pod reaches itself: masquerade, so that the answer comes back this way")
    else:
        yield Step(asked.node, f"leaving: no mark, no hairpin: the source stays {packet.source}")
    if far and asked.is_elsewhere(far):
        yield Step(
            "host", f"the tunnel between the machines takes it to {far}, where policies judge it and the pod answers"
        )
        return
    if far and far != asked.node:
        yield Step("host", f"the bridge between the nodes passes it on to {far}")
        yield Step(far, f"route: {at(far).route(packet.target) or 'none: the pod is gone'}")
        if not (yield from _judged(asked, at(far), "ingress", packet, far)):
            return
    elif not far:
        yield Step("outside", f"{packet.target} is no pod of this cluster")
    yield Step(
        "endpoint",
        f"answers from {packet.target} port {packet.port}; connection tracking turns that back into {asked.address}",
    )


def _judged(
    asked: Asked, here: View, direction: policies.Direction, packet: policies.Packet, where: str
) -> Generator[Step, None, bool]:
    """Whether the packet goes on."""
    word = layout.FAMILIES[asked.family].word
    chain = "leaving" if direction == "egress" else "arriving"
    who = packet.source if direction == "egress" else packet.target
    judge = here.element(f"{word} {policy_layout.TABLE}", direction, who)
    start = f"{policy_layout.TABLE}, {chain}: "
    if judge is None:
        yield Step(where, f"{start}no policy judges {who} for {direction}: passes")
        return True
    if packet.source == packet.target:
        yield Step(where, f"{start}itself has {who}: a pod always reaches itself")
        return True
    accepting = policies.accepting_rules(asked.program, direction, packet) or []
    outcome = f"accepted by {', '.join(accepting)}" if accepting else "no rule accepts it: dropped"
    yield Step(where, f"{start}{direction} {{ {who} }} = {judge}: {outcome}")
    return bool(accepting)


def format(title_line: str, found: Sequence[Step]) -> str:  # noqa: A001 — the module is used qualified
    width = max(len(one.where) for one in found)
    lines = [f"{number:2}  {one.where:{width}}  {one.what}" for number, one in enumerate(found, 1)]
    return "\n".join([title_line, "", *lines])
