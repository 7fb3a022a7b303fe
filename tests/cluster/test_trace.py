"""A packet's way in words, from what the kernel would hold."""

from collections.abc import Mapping

import pytest

from steersman.cluster import trace
from steersman.network.policy import decide as policies
from tests.proxy.builders import port, service

VIP = "10.96.0.1 . tcp . 80"
NEAR, FAR = "10.244.0.7", "10.244.1.7"


class Paper:
    """A namespace on paper: elements by map and key."""

    def __init__(self, elements: Mapping[tuple[str, str], str]) -> None:
        self._elements = elements

    def element(self, table: str, name: str, key: str) -> str | None:
        return self._elements.get((name, key))

    def route(self, address: str) -> str:
        return f"{address} dev somewhere"


def asked(program: policies.Program | None = None) -> trace.Asked:
    pod = {"metadata": {"name": "c", "namespace": "d"}, "spec": {"nodeName": "n1"}}
    nodes = {NEAR: "n1", FAR: "n2", "10.244.0.5": "n1"}
    return trace.Asked(
        pod, "10.244.0.5", service(), "10.96.0.1", port(), lambda one: nodes.get(one, ""), program or policies.Program()
    )


def told(elements: Mapping[tuple[str, str], str], program: policies.Program | None = None) -> str:
    view = Paper(elements)
    return trace.format("", trace.steps(asked(program), lambda node: view))


WAYS = [
    pytest.param(
        {("services", VIP): "goto cluster-1", ("endpoints", f"{VIP} . 0:0"): f"{NEAR} . 8080"},
        [
            "services { 10.96.0.1 . tcp . 80 } = goto cluster-1",
            "dnat to 10.244.0.7 . 8080",
            "the source stays 10.244.0.5",
        ],
        ["bridge"],
        id="on this node",
    ),
    pytest.param(
        {("services", VIP): "goto cluster-1", ("endpoints", f"{VIP} . 0:0"): f"{FAR} . 8080"},
        ["the bridge between the nodes passes it on to n2", "no policy judges 10.244.1.7 for ingress"],
        [],
        id="on another node",
    ),
    pytest.param(
        {("services", VIP): "goto cluster-1", ("endpoints", f"{VIP} . 0:0"): "10.244.0.5 . 8080"},
        ["the pod reaches itself: masquerade"],
        [],
        id="itself",
    ),
    pytest.param(
        {("services", VIP): "goto refuse"}, ["the Service has no endpoint: refused at once"], [], id="refused"
    ),
    pytest.param({("services", VIP): "drop"}, ["it has none on this node: dropped"], [], id="local, and none here"),
    pytest.param({("cluster_ips", "10.96.0.1"): ""}, [f"services has no {VIP}: refused"], ["dnat"], id="no such port"),
    pytest.param(
        {("services", VIP): "goto cluster-1"}, ["no endpoint stands there: dropped"], [], id="an element is missing"
    ),
    pytest.param(
        {
            ("services", VIP): "goto sticky-cluster-2",
            ("affinity_ids", VIP): "7",
            ("affinity", "10.244.0.5 . 7 . tcp"): f"{FAR} . 8080",
        },
        ["affinity knows this one: 10.244.1.7 . 8080", "passes it on to n2"],
        ["a random number"],
        id="remembered",
    ),
]


@pytest.mark.parametrize(("elements", "said", "unsaid"), WAYS)
def test_ways(elements, said, unsaid):
    text = told(elements)
    assert all(words in text for words in said), text
    assert not any(words in text for words in unsaid), text


def test_a_policy_says_which_rules_accept():
    pods = [
        policies.Pod("d", {"app": name}, (address,), True, {}) for name, address in (("a", NEAR), ("c", "10.244.0.5"))
    ]
    spec = {"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Ingress"]}
    closed = {"metadata": {"namespace": "d", "name": "p"}, "spec": spec}
    program = policies.decide([closed], pods, {}, 4)
    elements = {("services", VIP): "goto cluster-1", ("endpoints", f"{VIP} . 0:0"): f"{NEAR} . 8080"}
    judge = program.pods["ingress"][NEAR]
    assert told({**elements, ("ingress", NEAR): f"goto {judge}"}, program).endswith("no rule accepts it: dropped")
