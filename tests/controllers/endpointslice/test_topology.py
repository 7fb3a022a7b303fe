"""Hints by the zones' shares of the CPUs. The cases are those of upstream's topologycache."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.controllers.decision import Create, Emit
from steersman.controllers.endpointslice import decide, topology
from steersman.controllers.endpointslice.decide import Seen
from tests.controllers import paper, shapes
from tests.controllers.endpointslice.test_slices import pod, service


def entries(**by_zone):
    return [{"zone": zone, "conditions": {"ready": True}} for zone, count in by_zone.items() for _ in range(count)]


def exchanged(of, shares) -> Any:
    """(from, to) → how many."""
    try:
        found = topology.zones(of, shares)
    except topology.Refused as why:
        return str(why)
    return Counter((one["zone"], zone) for one, zone in zip(of, found, strict=True))


THIRDS = {"a": 0.3, "b": 0.3, "c": 0.4}
CASES = {
    "even": (entries(a=2, b=2), {"a": 0.5, "b": 0.5}, {("a", "a"): 2, ("b", "b"): 2}),
    "one zone gives": (entries(a=4, b=2), {"a": 0.5, "b": 0.5}, {("a", "a"): 3, ("a", "b"): 1, ("b", "b"): 2}),
    "a zone without endpoints": (entries(a=6, b=4), THIRDS, {("a", "a"): 3, ("a", "c"): 3, ("b", "b"): 3, ("b", "c"): 1}),
    "nearly even": (entries(a=3, b=4), {"a": 0.5, "b": 0.5}, {("a", "a"): 3, ("b", "b"): 4}),
    "a node says too little": (
        entries(a=2), None, "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
    ),
    "one zone": (entries(a=2), {"a": 1.0}, "Nodes only ready in one zone"),
    "few": (entries(a=1), {"a": 0.5, "b": 0.5}, "Insufficient number of endpoints (1 endpoints, 2 zones)"),
    "overload": (
        entries(a=3), {"a": 0.45, "b": 0.45, "c": 0.1},
        "Minimum allocation of required endpoints exceeds overload threshold (3 endpoints, 3 zones)",
    ),
    "an endpoint without a zone": (
        [*entries(a=3), {"conditions": {"ready": True}}], {"a": 0.5, "b": 0.5},
        "One or more endpoints do not have a zone specified",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("of", "shares", "expect"), CASES.values(), ids=CASES.keys())
def test_zones(of, shares, expect):
    assert exchanged(of, shares) == expect


@given(st.lists(st.integers(0, 30), min_size=2, max_size=5), st.lists(st.integers(1, 64), min_size=5, max_size=5))
def test_no_zone_gives_away_what_it_needs_itself(counts, cpus):
    names = "abcde"[: len(counts)]
    total = sum(cpus[: len(counts)])
    shares = {name: one / total for name, one in zip(names, cpus, strict=False)}
    of = entries(**dict(zip(names, counts, strict=True)))
    try:
        got = Counter(topology.zones(of, shares))
    except topology.Refused:
        return
    assert got.total() == len(of)
    own = Counter(one["zone"] for one in of)
    assert all(got[name] >= min(own[name], share * len(of) - 0.5) for name, share in shares.items())


def node(name, zone="a", cpu="4", *, ready=True, **labels):
    told = [{"type": "Ready", "status": "True" if ready else "False"}]
    meta = {"name": name, "labels": {"topology.kubernetes.io/zone": zone, **labels}}
    return {"metadata": meta, "status": {"allocatable": {"cpu": cpu}, "conditions": told}}


CONTROL: Any = {"node-role.kubernetes.io/control-plane": ""}


@pytest.mark.parametrize(
    ("nodes", "shares"),
    [
        ([node("1", cpu="3"), node("2", "b", "1000m")], {"a": 0.75, "b": 0.25}),
        ([node("1"), node("2", "b", ready=False)], {"a": 1.0}),
        ([node("1"), node("2", "b", **CONTROL)], {"a": 1.0}),
        ([node("1"), node("2", "")], None),
        ([node("1"), node("2", cpu="0")], None),
        ([], None),
    ],
    ids=["two zones", "not ready", "control plane", "no zone", "no CPUs", "no nodes"],
)
def test_shares(nodes, shares):
    assert topology.cpu_shares(nodes) == shares


def wanting(said="Auto", **spec):
    found = service(**spec)
    found["metadata"]["annotations"] = {topology.MODE: said}
    return found


def test_a_service_that_asks_gets_hints_and_an_event():
    pods = [pod("p", node="n1"), pod("q", "10.244.0.2", node="n2"), pod("r", "10.244.0.3", node="n2", ready=False)]
    zones, shares = {"n1": "a", "n2": "b"}, {"a": 0.5, "b": 0.5}
    seen = Seen(wanting(trafficDistribution="PreferClose"), pods, zones=zones, cpu_shares=shares)
    [told, create, *_] = decide.decide(seen).actions
    assert isinstance(told, Emit)
    assert (told.reason, told.message) == (
        "TopologyAwareHintsEnabled",
        "Topology Aware Hints has been enabled, addressType: IPv4",
    )
    assert isinstance(create, Create)
    hints = {one["targetRef"]["name"]: one.get("hints") for one in create.obj["endpoints"]}
    assert hints == {"p": {"forZones": [{"name": "a"}]}, "q": {"forZones": [{"name": "b"}]}, "r": None}


def test_a_service_is_looked_at_again_when_nodes_come_and_go():
    async def story():
        async with paper.cluster(nodes=0) as cluster:
            for name, zone in (("n1", "a"), ("n2", "b")):
                made = {"apiVersion": "v1", "kind": "Node", **node(name, zone)}
                await cluster.create(kinds.NODE, made)
                body = {"status": made["status"]}
                await cluster.client.patch(kinds.NODE, name, "", body, subresource="status")
            asks = shapes.service()
            asks["metadata"]["annotations"] = {topology.MODE: "Auto"}
            await cluster.create(kinds.SERVICE, asks)
            await cluster.settle(1)
            [told] = await cluster.events("TopologyAwareHintsDisabled")
            assert told == "Insufficient number of endpoints (0 endpoints, 2 zones), addressType: IPv4"
            await cluster.delete(kinds.NODE, "n2")
            await cluster.settle(1)
            told = "Nodes only ready in one zone, addressType: IPv4"
            assert told in await cluster.events("TopologyAwareHintsDisabled")

    paper.run(story)
