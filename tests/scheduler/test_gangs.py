"""Groups of pods: enough of them at once, or none; who has to go for them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.scheduler import gangs, pending
from steersman.scheduler.pending import PendingGroup, PodGroup
from steersman.scheduler.snapshot import PlacedPod, Snapshot
from tests.scheduler import builders
from tests.scheduler.builders import node, picture, pod

GROUP = "default/g"


def in_group(name, **more):
    return pod(name, schedulingGroup={"podGroupName": "g"}, **more)


def group(*pods, **more):
    return PendingGroup(PodGroup(GROUP, is_gang=True, **more), tuple(builders.pending(one) for one in pods))


def workers(count, cpu="1", **more):
    return [in_group(f"w-{number}", cpu=cpu, **more) for number in range(count)]


def decide(snapshot, *items):
    found = gangs.decide(items, snapshot)
    return {one.pod.key.partition("/")[2]: one.node for one in found.placements}, found


def placed(snapshot: Snapshot, key: str) -> PlacedPod:
    found = snapshot.pod(key)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("count", "needed", "placed", "expected", "message"),
    [
        pytest.param(3, 3, 0, 3, "", id="all"),
        pytest.param(3, 2, 0, 3, "", id="more than needed"),
        pytest.param(5, 4, 0, 4, "", id="as many as fit"),
        pytest.param(5, 5, 0, 0, "minCount (5) cannot be satisfied: 4 scheduled, 0 remaining", id="one too few"),
        pytest.param(
            7, 7, 0, 0, "minCount (7) cannot be satisfied: 4 scheduled, 2 remaining", id="stops when hopeless"
        ),
        pytest.param(2, 5, 3, 0, "minCount (5) cannot be satisfied: 4 scheduled, 0 remaining", id="with those placed"),
        pytest.param(1, 4, 3, 1, "", id="the last one"),
    ],
)
def test_all_or_nothing(count, needed, placed, expected, message):
    there = [in_group(f"old-{number}", cpu="1", on="node1") for number in range(placed)]
    snapshot = picture([node(cpu="4")], there)
    before = snapshot.requested.copy()
    nodes, found = decide(snapshot, group(*workers(count), needed=needed))
    [outcome] = found.groups
    assert len(nodes) == expected
    assert outcome.scheduled == bool(expected)
    if message:
        assert outcome.message.startswith(f"pod group is unschedulable, {message}, pod group preemption: ")
        np.testing.assert_array_equal(snapshot.requested, before)


def test_what_the_pods_of_a_refused_group_are_told():
    _, found = decide(picture([node(cpu="2")]), group(*workers(3), needed=3))
    why = (
        "pod group is unschedulable, minCount (3) cannot be satisfied: 2 scheduled, 0 remaining, "
        "pod group preemption: No preemption victims found for incoming preemptor"
    )
    assert [one.message for one in found.rejections] == [why, why, "0/1 nodes are available: 1 Insufficient cpu."]
    assert found.groups[0].message == why
    assert gangs.FILTER in found.groups[0].filters
    assert "NodeResourcesFit" in found.groups[0].filters


def test_the_basic_policy_wants_one():
    basic = PendingGroup(PodGroup(GROUP), tuple(builders.pending(one) for one in workers(3)))
    nodes, found = decide(picture([node(cpu="2")]), basic)
    assert len(nodes) == 2
    assert [one.message for one in found.rejections] == ["0/1 nodes are available: 1 Insufficient cpu."]
    assert found.groups[0].scheduled
    assert found.groups[0].message == ""
    nodes, found = decide(picture([node(cpu="0")]), basic)
    assert not nodes
    assert not found.groups[0].scheduled


@pytest.mark.parametrize(
    ("one", "of_group", "why"),
    [
        ({"priority": 5}, {}, "the same priority as the pod group's priority, got 5 and 0"),
        ({"preemptionPolicy": "Never"}, {}, "the pod group's preemption policy, got Never and PreemptLowerPriority"),
    ],
)
def test_a_pod_of_another_mind_keeps_the_group_back(one, of_group, why):
    nodes, found = decide(picture([node()]), group(in_group("a"), in_group("b", **one), needed=1, **of_group))
    assert not nodes
    assert found.groups[0].reason == "SchedulerError"
    assert {rejection.reason for rejection in found.rejections} == {"SchedulerError"}
    assert why in found.groups[0].message


def test_priority_goes_before_everything():
    snapshot = picture([node(cpu="2")])
    rest = builders.pending(pod("single", cpu="1", priority=5))
    nodes, _ = decide(snapshot, group(*workers(2, priority=9), needed=2, priority=9), rest)
    assert set(nodes) == {"w-0", "w-1"}
    snapshot = picture([node(cpu="2")])
    nodes, _ = decide(snapshot, group(*workers(2), needed=2), rest)
    assert set(nodes) == {"single"}


def test_within_one_topology_domain():
    nodes = [
        node("a1", cpu="1", labels={"zone": "a"}),
        node("a2", cpu="1", labels={"zone": "a"}),
        node("b1", cpu="2", labels={"zone": "b"}),
        node("b2", cpu="1", labels={"zone": "b"}),
        node("none", cpu="8"),
    ]
    chosen, _ = decide(picture(nodes), group(*workers(3), needed=2, topology_key="zone"))
    assert sorted(chosen.values()) == ["b1", "b1", "b2"]
    there = [in_group("old", on="a1", cpu="1")]
    chosen, found = decide(picture(nodes, there), group(*workers(2), needed=3, topology_key="zone"))
    assert not chosen
    assert found.groups[0].message.startswith(
        "0/1 placements are available, first placement status: pod group is unschedulable, minCount (3)"
    )


# --- preemption ---


def low(name, where, **more):
    return pod(name, on=where, cpu="1", priority=1, **more)


def high(count, **more):
    return group(*workers(count, priority=9), needed=count, priority=9, **more)


def test_the_fewest_go_and_room_is_kept():
    there = [low("a", "n1", started="2026-01-01"), low("b", "n1", started="2026-01-02"), low("c", "n2"), low("d", "n3")]
    snapshot = picture([node("n1", cpu="2"), node("n2", cpu="1"), node("n3", cpu="3")], there)
    before = snapshot.requested.copy()
    nodes, found = decide(snapshot, high(3))
    assert not nodes
    victims = [key for one in found.rejections for key in one.victims]
    assert len(victims) == 1
    assert found.groups[0].message.endswith(
        "pod group preemption: found a placement for podgroup, preempting 1 victims"
    )
    assert all(one.nominated for one in found.rejections)
    for one in found.rejections:
        snapshot.nominations.drop(one.pod.key)
    np.testing.assert_array_equal(snapshot.requested, before)
    assert [key for key in snapshot.pod_keys() if placed(snapshot, key).terminating] == victims


def test_room_is_made_once():
    there = [low("a", "n1"), low("b", "n1")]
    snapshot = picture([node("n1", cpu="2")], there)
    decide(snapshot, high(2))
    _, found = decide(snapshot, high(2))
    assert found.groups[0].message.endswith("not eligible due to a terminating pod on the nominated node.")
    assert [one.nominated for one in found.rejections] == ["n1", "n1"]
    for key in ("default/a", "default/b"):
        snapshot.remove_pod(key)
    nodes, _ = decide(snapshot, high(2))
    assert nodes == {"w-0": "n1", "w-1": "n1"}
    assert not len(snapshot.nominations)


@pytest.mark.parametrize(("together", "gone"), [(False, 1), (True, 2)])
@pytest.mark.parametrize("by_group", [False, True])
def test_a_group_that_goes_together(together, gone, by_group):
    victims = [pod(f"v-{n}", on=f"n{n}", cpu="1", priority=1, schedulingGroup={"podGroupName": "v"}) for n in (1, 2)]
    snapshot = picture([node("n1", cpu="1"), node("n2", cpu="1")], victims)
    snapshot.groups["default/v"] = PodGroup("default/v", 2, True, 1, goes_together=together)
    wanted = high(1) if by_group else builders.pending(pod("urgent", cpu="1", priority=9))
    _, found = decide(snapshot, wanted)
    assert len(found.rejections[0].victims) == gone


def test_never_and_nobody():
    snapshot = picture([node("n1", cpu="1")], [low("a", "n1")])
    one = in_group("w-0", cpu="1", priority=9, preemptionPolicy="Never")
    _, found = decide(snapshot, group(one, needed=1, priority=9, preempts=False))
    assert found.groups[0].message.endswith("pod group preemption: not eligible due to preemptionPolicy=Never.")
    _, found = decide(snapshot, group(in_group("w-0", cpu="8", priority=9), needed=1, priority=9))
    assert "pod group preemption: pod group is unschedulable, minCount (1)" in found.groups[0].message
    assert not found.rejections[0].victims


@given(
    cpus=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    there=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 2), st.booleans()), max_size=8),
    count=st.integers(1, 4),
    needed=st.integers(1, 4),
)
def test_nothing_is_counted_twice_and_what_is_promised_holds(cpus, there, count, needed):
    nodes = [node(f"n{number}", cpu=str(cpu)) for number, cpu in enumerate(cpus)]
    there_now = []
    for number, (on, priority, cpu, grouped) in enumerate(there):
        more = {"schedulingGroup": {"podGroupName": f"old{priority}"}} if grouped else {}
        there_now.append(
            pod(f"p{number}", **{"cpu": str(cpu), "on": f"n{on % len(cpus)}", "priority": priority, **more})
        )
    snapshot = picture(nodes, there_now)
    for priority in range(3):
        snapshot.groups[f"default/old{priority}"] = PodGroup(
            f"default/old{priority}", 1, True, priority, goes_together=True
        )
    before = snapshot.requested.copy()
    wanted = group(*workers(count, priority=2), needed=needed, priority=2)
    scheduled, found = decide(snapshot, wanted)
    victims = {key for one in found.rejections for key in one.victims}
    assert len(scheduled) == 0 or len(scheduled) >= needed
    for one in found.rejections:
        snapshot.nominations.drop(one.pod.key)
    for one in found.placements:
        snapshot.remove_pod(one.pod.key)
    np.testing.assert_array_equal(snapshot.requested, before)
    for key in victims:
        assert placed(snapshot, key).priority < 2
        snapshot.remove_pod(key)
    if victims:
        again, _ = decide(snapshot, wanted)
        assert len(again) >= needed


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), max_size=6), st.integers(1, 4))
def test_a_single_pod_that_preempts_leaves_the_others_counted_once(there, cpu):
    placed = [pod(f"p{n}", on="n1", cpu=str(size), priority=priority) for n, (size, priority) in enumerate(there)]
    snapshot = picture([node("n1", cpu="6")], placed)
    before = snapshot.requested.copy()
    _, found = decide(snapshot, builders.pending(pod("urgent", cpu=str(cpu), priority=2)))
    for one in found.rejections:
        snapshot.nominations.drop(one.pod.key)
    for one in found.placements:
        snapshot.remove_pod(one.pod.key)
    np.testing.assert_array_equal(snapshot.requested, before)


def test_reading_a_group():
    found = {
        "metadata": {"name": "g", "namespace": "default"},
        "spec": {
            "schedulingPolicy": {"gang": {"minCount": 3}},
            "disruptionMode": {"all": {}},
            "priority": 7,
            "preemptionPolicy": "Never",
            "schedulingConstraints": {"topology": [{"key": "zone"}]},
        },
    }
    expected = PodGroup(GROUP, 3, True, 7, preempts=False, goes_together=True, topology_key="zone")
    assert pending.read_group(found) == expected
    basic = {"metadata": found["metadata"], "spec": {"schedulingPolicy": {"basic": {}}}}
    assert pending.read_group(basic) == dataclasses.replace(PodGroup(GROUP), needed=1)
