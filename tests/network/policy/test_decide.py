"""Who may speak to whom under which policies: upstream's cases (test/e2e/network/netpol), judged on paper."""

from typing import Any

import pytest

from steersman.meta.objects import Object
from steersman.network.policy import decide, layout

# Three namespaces x, y, z with pods a, b, c each; all on this node. 10.0.N.M, N for the namespace and M for the pod.
SPACES, NAMES = "xyz", "abc"
PORTS = (("tcp", 80), ("tcp", 81), ("udp", 80))


def address(pod: str) -> str:
    space, name = pod.split("/")
    return f"10.0.{SPACES.index(space) + 1}.{NAMES.index(name) + 1}"


def pod(name: str, **more: Any) -> decide.Pod:
    space, short = name.split("/")
    ports = {(f"serve-{number}-{protocol}", protocol.upper()): number for protocol, number in PORTS}
    return decide.Pod(space, {"pod": short}, (address(name),), more.get("is_local", True), ports)


PODS = [f"{space}/{name}" for space in SPACES for name in NAMES]
NAMESPACES = {space: {"ns": space} for space in SPACES}


def policy(space: str = "x", selects: Object | None = None, **spec: Any) -> Object:
    types = spec.pop("types", None) or [kind.capitalize() for kind in ("ingress", "egress") if kind in spec]
    spec = {"podSelector": selects or {}, "policyTypes": types, **spec}
    return {"metadata": {"namespace": space, "name": f"p{len(str(spec))}"}, "spec": spec}


def pods_of(**labels: str) -> Object:
    return {"podSelector": {"matchLabels": labels}}


def spaces_of(**labels: str) -> Object:
    return {"namespaceSelector": {"matchLabels": labels}}


def port(number: int | str, protocol: str = "TCP", end: int = 0) -> Object:
    return {"port": number, "protocol": protocol, **({"endPort": end} if end else {})}


def allowed(*policies: Object, protocol: str = "tcp", number: int = 80) -> set[str]:
    """`x/b→x/a`: all pairs of pods that may speak."""
    program = decide.decide(policies, [pod(name) for name in PODS], NAMESPACES, 4)
    return {
        f"{one}→{two}"
        for one in PODS
        for two in PODS
        if one != two and decide.passes(program, decide.Packet(address(one), address(two), protocol, number))
    }


ALL = {f"{one}→{two}" for one in PODS for two in PODS if one != two}


def to(pairs: set[str], target: str) -> set[str]:
    """Who may speak to it."""
    return {one.partition("→")[0] for one in pairs if one.endswith(f"→{target}")}


def from_(pairs: set[str], source: str) -> set[str]:
    return {one.partition("→")[2] for one in pairs if one.startswith(f"{source}→")}


EVERYBODY = set(PODS)
NEAR = {"x/a", "x/b", "x/c"}
IN_Y = {"y/a", "y/b", "y/c"}
IN_Z = {"z/a", "z/b", "z/c"}
SOME = {"matchLabels": {"pod": "a"}}

INGRESS = [
    pytest.param([policy(types=["Ingress"])], set(), id="deny all"),
    pytest.param([policy(ingress=[])], set(), id="deny all, by an empty list"),
    pytest.param([policy(ingress=[{}])], EVERYBODY, id="allow all"),
    pytest.param([policy(types=["Egress"], egress=[{}])], EVERYBODY, id="about the other direction"),
    pytest.param([policy(selects={"matchLabels": {"pod": "b"}}, types=["Ingress"])], EVERYBODY, id="about others"),
    pytest.param([policy(ingress=[{"from": [{"podSelector": {}}]}])], NEAR, id="own namespace"),
    pytest.param([policy(ingress=[{"from": [pods_of(pod="b")]}])], {"x/b"}, id="by pod"),
    pytest.param([policy(ingress=[{"from": [spaces_of(ns="y")]}])], IN_Y, id="by namespace"),
    pytest.param(
        [policy(ingress=[{"from": [{**spaces_of(ns="y"), **pods_of(pod="b")}]}])], {"y/b"}, id="by namespace and pod"
    ),
    pytest.param(
        [policy(ingress=[{"from": [spaces_of(ns="y"), pods_of(pod="b")]}])], {*IN_Y, "x/b"}, id="by namespace or pod"
    ),
    pytest.param(
        [policy(ingress=[{"from": [{"namespaceSelector": {"matchExpressions": [
            {"key": "ns", "operator": "NotIn", "values": ["x"]}]}}]}])],
        {*IN_Y, *IN_Z}, id="by expression",
    ),
    pytest.param([policy(ingress=[{"ports": [port(81)]}])], set(), id="another port"),
    pytest.param([policy(ingress=[{"ports": [port(80, end=90)]}])], EVERYBODY, id="in a range"),
    pytest.param([policy(ingress=[{"ports": [port(81, end=90)]}])], set(), id="beside a range"),
    pytest.param([policy(ingress=[{"ports": [port("serve-80-tcp")]}])], EVERYBODY, id="by name"),
    pytest.param([policy(ingress=[{"ports": [port("serve-81-tcp")]}])], set(), id="by another name"),
    pytest.param([policy(ingress=[{"ports": [port(80, "UDP")]}])], set(), id="another protocol"),
    pytest.param([policy(ingress=[{"ports": [{"protocol": "TCP"}]}])], EVERYBODY, id="a protocol"),
    pytest.param(
        [policy(ingress=[{"ports": [port(80)], "from": [pods_of(pod="b")]}])], {"x/b"}, id="port and peer"
    ),
    pytest.param(
        [policy(ingress=[{"ports": [port(81)], "from": [pods_of(pod="b")]}, {"from": [pods_of(pod="c")]}])],
        {"x/c"}, id="rules are alternatives",
    ),
    pytest.param(
        [policy(types=["Ingress"]), policy(ingress=[{"from": [spaces_of(ns="y")]}])], IN_Y, id="policies add up"
    ),
    pytest.param(
        [policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.2.0/24", "except": ["10.0.2.2/32"]}}]}])],
        {"y/a", "y/c"}, id="networks but for some",
    ),
    pytest.param(
        [policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.2.0/24"}}, pods_of(pod="b")]}])],
        {*IN_Y, "x/b"}, id="networks or pods",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("policies", "expected"), INGRESS)
def test_who_reaches_a_pod(policies, expected):
    pairs = allowed(*policies)
    assert to(pairs, "x/a") == expected - {"x/a"}
    assert to(pairs, "y/a") == EVERYBODY - {"y/a"}


EGRESS = [
    pytest.param([policy(types=["Egress"])], set(), id="deny all"),
    pytest.param([policy(egress=[{}])], EVERYBODY, id="allow all"),
    pytest.param([policy(egress=[{"to": [spaces_of(ns="y")]}])], IN_Y, id="by namespace"),
    pytest.param([policy(egress=[{"to": [pods_of(pod="b")], "ports": [port("serve-80-tcp")]}])], {"x/b"}, id="by name"),
    pytest.param([policy(egress=[{"ports": [port("serve-80-tcp")]}])], EVERYBODY, id="by name, anybody's"),
    pytest.param([policy(egress=[{"ports": [port(53, "UDP")]}])], set(), id="names only"),
    pytest.param(
        [policy(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.2.0/24"]}}]}])],
        {*NEAR, *IN_Z}, id="networks but for some",
    ),
    pytest.param(
        [policy(egress=[{"to": [spaces_of(ns="y")]}]), policy(space="y", types=["Ingress"])], set(),
        id="both sides must agree",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("policies", "expected"), EGRESS)
def test_whom_a_pod_reaches(policies, expected):
    pairs = allowed(*policies)
    assert from_(pairs, "x/a") == expected - {"x/a"}
    assert from_(pairs, "z/b") >= {"x/a", "x/b"}


def test_no_policy_no_rules():
    assert allowed() == ALL
    assert layout.program(decide.Program(), 4) == "add table ip steersman-policy\ndelete table ip steersman-policy\n"


def test_only_the_nodes_own_pods_are_judged():
    far = [pod(name, is_local=name == "x/a") for name in PODS]
    program = decide.decide([policy(types=["Ingress"])], far, NAMESPACES, 4)
    assert set(program.pods["ingress"]) == {address("x/a")}


def test_a_pod_that_comes_or_goes_is_elements_and_nothing_else():
    one = [policy(selects=SOME, ingress=[{"from": [pods_of(pod="b")], "ports": [port("serve-80-tcp")]}])]
    before = decide.decide(one, [pod("x/a")], NAMESPACES, 4)
    after = decide.decide(one, [pod("x/a"), pod("x/b")], NAMESPACES, 4)
    assert layout.changes(before, before, 4) == ""
    (name,) = (name for name, (kind, _) in after.sets.items() if kind == "addresses")
    assert layout.changes(before, after, 4) == f"add element ip steersman-policy {name} {{ 10.0.1.2 }}\n"
    assert layout.changes(after, before, 4) == f"delete element ip steersman-policy {name} {{ 10.0.1.2 }}\n"


def test_families_have_programs_of_their_own():
    both = decide.Pod("x", {"pod": "a"}, ("10.0.1.1", "fd00::1"), True, {})
    block = {"ipBlock": {"cidr": "fd00::/64", "except": ["fd00::/96"]}}
    program = decide.decide([policy(ingress=[{"from": [block]}])], [both], NAMESPACES, 6)
    assert set(program.pods["ingress"]) == {"fd00::1"}
    ((kind, elements),) = program.sets.values()
    assert kind == "networks"
    assert "fd00::/96" not in elements


SEEN = [
    pytest.param({"status": {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}}, ("10.0.0.1", "fd00::1"), id="two"),
    pytest.param({"status": {"podIP": "10.0.0.1"}}, ("10.0.0.1",), id="one"),
    pytest.param({"status": {"podIP": "10.0.0.1", "phase": "Failed"}}, None, id="ended"),
    pytest.param({"spec": {"hostNetwork": True}, "status": {"podIP": "1.2.3.4"}}, None, id="the host's network"),
    pytest.param({}, None, id="none yet"),
]


@pytest.mark.parametrize(("fields", "expected"), SEEN)
def test_what_is_seen_of_a_pod(fields, expected):
    found = decide.pod_of({"metadata": {"name": "a", "namespace": "x"}, **fields}, "n1")
    assert (found.addresses if found else None) == expected


def test_an_address_counts_before_the_status_tells_it():
    found = decide.pod_of({"metadata": {"name": "a", "namespace": "x"}, "spec": {"nodeName": "n1"}}, "n1", ["10.0.0.9"])
    assert found == decide.Pod("x", {}, ("10.0.0.9",), True, {})
