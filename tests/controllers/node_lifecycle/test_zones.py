"""How fast pods are evicted when many nodes are lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.controllers.node_lifecycle import decide
from steersman.controllers.node_lifecycle.decide import Seen
from steersman.controllers.node_lifecycle.zones import State, Zone, Zones
from tests.controllers import paper, shapes
from tests.controllers.node_lifecycle import test_decide


def node(zone="a", ready=True, name="n"):
    condition = {"type": "Ready", "status": "True" if ready else "Unknown"}
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {"conditions": [condition]}}


STATES = {
    "no nodes": (Zone(), State.NORMAL, 10.0),
    "all well": (Zone(5, 0), State.NORMAL, 10.0),
    "two of three": (Zone(1, 2), State.NORMAL, 10.0),
    "most": (Zone(2, 3), State.PARTIAL, None),
    "most of many": (Zone(20, 40), State.PARTIAL, 100.0),
    "half": (Zone(3, 3), State.NORMAL, 10.0),
    "all": (Zone(0, 3), State.FULL, 10.0),
}


@pytest.mark.parametrize(("zone", "state", "pause"), STATES.values(), ids=STATES.keys())
def test_states(zone, state, pause):
    assert (zone.state, zone.pause_seconds) == (state, pause)


def test_one_after_the_other_in_each_zone():
    found = Zones()
    for zone in ("a", "a", "b"):
        found.note(None, node(zone))
    lost = node("a", ready=False)
    found.note(node("a"), lost)
    assert found.seconds_to_eviction(lost, 100.0) == 0.0
    found.evicted(lost, 100.0)
    assert found.seconds_to_eviction(lost, 104.0) == 6.0
    assert found.seconds_to_eviction(node("b", ready=False), 104.0) == 0.0
    assert found.seconds_to_eviction(lost, 111.0) == 0.0


def test_when_all_are_lost_nobody_is_evicted():
    lost, found, more = node("a", ready=False), Zones(), Zones()
    found.note(None, lost)
    assert (found.all_lost, found.seconds_to_eviction(lost, 0.0)) == (True, None)
    more.note(None, lost)
    more.note(None, node("b"))
    assert (more.all_lost, more.seconds_to_eviction(lost, 0.0)) == (False, 0.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=20))
def test_counts_follow_the_nodes(changes):
    found = Zones()
    present: dict[str, Any] = {}
    for name, ready in changes:
        old, new = present.get(name), node(name, ready)
        found.note(old, new)
        present[name] = new
    for name, one in present.items():
        assert found.of(one).size == 1, name
    for one in present.values():
        found.note(one, None)
    assert not found.all_lost
    assert found.of(node("a")) == Zone()


UNREACHABLE = [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
TURNS: dict[str, tuple[Any, ...]] = {
    "its turn": ({"eviction_seconds": 0.0}, UNREACHABLE, None),
    "later": ({"eviction_seconds": 7.0}, UNREACHABLE[:1], 7.0),
    "not as things are": ({"eviction_seconds": None}, UNREACHABLE[:1], decide.ZONE_LOOK_SECONDS),
    "all are lost": ({"eviction_seconds": None, "all_lost": True}, UNREACHABLE[:1], decide.ZONE_LOOK_SECONDS),
}


@pytest.mark.parametrize(("more", "taints", "again"), TURNS.values(), ids=TURNS.keys())
def test_taints_that_evict_wait_for_their_turn(more, taints, again):
    made = decide.decide(Seen(test_decide.node("Unknown"), 99.0, 8.0, shapes.NOW, **more))
    assert test_decide.taints(made) == taints
    assert made.again_after_seconds == again
    assert decide.evicts(made) == (len(taints) == 2)


def test_what_evicts_goes_when_all_are_lost():
    before = [(f"node.kubernetes.io/{name}", effect) for name, effect in UNREACHABLE]
    lost = test_decide.node("Unknown", taints=before)
    stays = decide.decide(Seen(lost, 99.0, 8.0, shapes.NOW, (), None))
    assert test_decide.taints(stays) is None
    goes = decide.decide(Seen(lost, 99.0, 8.0, shapes.NOW, (), None, all_lost=True))
    assert test_decide.taints(goes) == UNREACHABLE[:1]


def test_a_cluster_that_loses_everything_keeps_its_pods():
    async def story():
        async with paper.cluster(nodes=3) as cluster:
            evicting = set()

            def note(old, new):
                for taint in ((new or {}).get("spec") or {}).get("taints") or ():
                    if taint["effect"] == "NoExecute":
                        evicting.add(new["metadata"]["name"])

            cluster.caches.of(kinds.NODE).subscribe(note)
            for one in cluster.nodes:
                one.silent = True
            await cluster.settle(60)
            found = await cluster.all(kinds.NODE)
            taints = {taint["effect"] for one in found for taint in one["spec"].get("taints") or ()}
            assert taints == {"NoSchedule"}
            cluster.nodes[0].silent = False
            await cluster.settle(8)
            tainted = [
                one["metadata"]["name"]
                for one in await cluster.all(kinds.NODE)
                if any(taint["effect"] == "NoExecute" for taint in one["spec"].get("taints") or ())
            ]
            assert len(tainted) == 1
            await cluster.settle(15)
            assert evicting >= {"node-2", "node-3"}

    paper.run(story)
