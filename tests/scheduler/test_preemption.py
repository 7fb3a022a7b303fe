"""Who has to go for a pod of higher priority, on which node, and what is said when nobody can."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.scheduler.decide import Rejection, decide
from tests.scheduler.builders import node, pending, picture, pod

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
IMPORTANT: Any = {"name": "important", "cpu": "2", "priority": 100}


def low(name: str, on: str, cpu: str = "2", priority: int = 0, **more: Any) -> Any:
    return pod(name, on=on, cpu=cpu, priority=priority, labels=more.pop("labels", {"app": name}), **more)


def budget(app: str, allowed: int, disrupted: tuple[str, ...] = ()) -> Any:
    return {
        "metadata": {"name": app, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": app}}},
        "status": {"disruptionsAllowed": allowed, "disruptedPods": dict.fromkeys(disrupted, EARLY)},
    }


def rejection(wanted: Any, nodes: list[Any], placed: list[Any], budgets: tuple[Any, ...] = ()) -> Rejection:
    seen = picture(nodes, placed)
    seen.budgets = {one["metadata"]["name"]: one for one in budgets}
    [found] = decide([pending(wanted)], seen).rejections
    return found


A, B = node("a", cpu="2"), node("b", cpu="2")


@pytest.mark.parametrize(
    ("wanted", "nodes", "placed", "expect"),
    [
        pytest.param(pod(**IMPORTANT), [A], [low("x", "a")], ("a", ["x"]), id="the only one"),
        pytest.param(
            pod(**IMPORTANT), [A], [low("x", "a", "1"), low("y", "a", "1")], ("a", ["x", "y"]), id="as many as must"
        ),
        pytest.param(
            pod("important", cpu="1", priority=100),
            [A],
            [low("x", "a", "1", started=EARLY), low("y", "a", "1", started=LATE)],
            ("a", ["y"]),
            id="no more than must, and the youngest",
        ),
        pytest.param(
            pod("important", cpu="1", priority=100),
            [A],
            [low("x", "a", "1", priority=5, started=LATE), low("y", "a", "1", priority=6, started=EARLY)],
            ("a", ["x"]),
            id="of lower priority first",
        ),
        pytest.param(
            pod(**IMPORTANT),
            [A, B],
            [low("x", "a", priority=50), low("y", "b", priority=10)],
            ("b", ["y"]),
            id="the node with the least important",
        ),
        pytest.param(
            pod(**IMPORTANT),
            [A, B],
            [low("x", "a", "1", priority=10), low("x2", "a", "1", priority=1), low("y", "b", priority=10)],
            ("b", ["y"]),
            id="the lower sum of priorities",
        ),
        pytest.param(
            pod(**IMPORTANT),
            [A, B],
            [low("x", "a", started=EARLY), low("y", "b", started=LATE)],
            ("b", ["y"]),
            id="the youngest",
        ),
        pytest.param(pod(**IMPORTANT), [A, B], [low("x", "a"), low("y", "b")], ("a", ["x"]), id="of equals the first"),
        pytest.param(
            pod(**IMPORTANT),
            [A, B],
            [low("x", "a"), low("y", "b", terminating=True)],
            ("b", []),
            id="whoever is going need not be told",
        ),
        pytest.param(
            pod("important", priority=100, ports=[{"containerPort": 80, "hostPort": 80}]),
            [A],
            [low("x", "a", ports=[{"containerPort": 80, "hostPort": 80}]), low("y", "a", "0")],
            ("a", ["x"]),
            id="a host port",
        ),
        pytest.param(
            pod("important", priority=100, labels={"app": "i"}, affinity=None),
            [A],
            [
                low(
                    "x",
                    "a",
                    "1",
                    affinity={
                        "podAntiAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": [
                                {
                                    "labelSelector": {"matchLabels": {"app": "i"}},
                                    "topologyKey": "kubernetes.io/hostname",
                                }
                            ]
                        }
                    },
                ),
                low("y", "a", "1"),
            ],
            ("a", ["x"]),
            id="one that does not want it near",
        ),
    ],
)
def test_victims(wanted, nodes, placed, expect):
    found = rejection(wanted, nodes, placed)
    assert (found.nominated, [key.removeprefix("default/") for key in found.victims]) == expect
    assert "preemption" not in found.message


@pytest.mark.parametrize(
    ("budgets", "expect"),
    [
        pytest.param((budget("x", 0),), ("b", ["y"]), id="a protected one is spared"),
        pytest.param((budget("x", 0), budget("y", 0)), ("a", ["x"]), id="unless all are protected"),
        pytest.param((budget("x", 1), budget("y", 0)), ("a", ["x"]), id="what the budget allows is no violation"),
        pytest.param(
            (budget("x", 0, ("x",)), budget("y", 0)), ("a", ["x"]), id="a disruption that was granted already"
        ),
    ],
)
def test_budgets(budgets, expect):
    found = rejection(pod(**IMPORTANT), [A, B], [low("x", "a"), low("y", "b", priority=1)], budgets)
    assert (found.nominated, [key.removeprefix("default/") for key in found.victims]) == expect


def test_of_one_node_the_protected_are_kept_first():
    labels = {"app": "shop"}
    placed = [low("x", "a", "1", labels=labels, started=LATE), low("y", "a", "1", started=EARLY)]
    found = rejection(pod("important", cpu="1", priority=100), [A], placed, (budget("shop", 0),))
    assert found.victims == ("default/y",)


NEVER = "not eligible due to preemptionPolicy=Never."
CPU = "0/{0} nodes are available: {0} Insufficient cpu. no new claims to deallocate, preemption: "


@pytest.mark.parametrize(
    ("wanted", "nodes", "placed", "message"),
    [
        pytest.param(
            pod(**IMPORTANT, preemptionPolicy="Never"), [A], [low("x", "a")], CPU.format(1) + NEVER, id="does not want"
        ),
        pytest.param(
            pod(**IMPORTANT),
            [A],
            [low("x", "a", priority=100)],
            CPU.format(1) + "0/1 nodes are available: 1 No preemption victims found for incoming pod.",
            id="none is less important",
        ),
        pytest.param(
            pod(**IMPORTANT),
            [A],
            [low("x", "a", "1", priority=100), low("y", "a", "1")],
            CPU.format(1) + "0/1 nodes are available: 1 Insufficient cpu.",
            id="those that are would not do",
        ),
        pytest.param(
            pod("important", cpu="3", priority=100),
            [A, node("b", cpu="4")],
            [low("x", "a"), low("y", "b", "2", priority=200)],
            CPU.format(2)
            + "0/2 nodes are available: 1 No preemption victims found for incoming pod, "
            + "1 Preemption is not helpful for scheduling.",
            id="one too small, one full of more important ones",
        ),
    ],
)
def test_nobody_has_to_go(wanted, nodes, placed, message):
    found = rejection(wanted, nodes, placed)
    assert (found.nominated, found.victims, found.message) == ("", (), message)


def test_the_room_is_kept():
    """For the pod itself, from others of its priority and below; the next one makes room of its own."""
    seen = picture([A, B], [low("x", "a"), low("y", "b")])
    first, second, third = (pending(pod(name, cpu="2", priority=100)) for name in ("one", "two", "three"))
    found = decide([first, second, third], seen).rejections
    assert [one.nominated for one in found] == ["a", "b", ""]
    seen.remove_pod("default/x")
    waiting = decide([third, pending(pod("small", cpu="1"))], seen)
    assert not waiting.placements
    [placement] = decide([third, first], seen).placements
    assert (placement.pod.key, placement.node) == ("default/one", "a")


def test_while_victims_end_nobody_else_is_told_to_go():
    seen = picture([A, B], [low("x", "a"), low("y", "b")])
    first = pending(pod("one", cpu="2", priority=100))
    decide([first], seen)
    [again] = decide([first], seen).rejections
    assert (again.nominated, again.victims) == ("a", ())
    assert again.message == CPU.format(2) + "not eligible due to terminating pod on the nominated node."


def test_a_more_important_one_takes_the_room():
    seen = picture([A], [low("x", "a")])
    decide([pending(pod("one", cpu="2", priority=100))], seen)
    [found] = decide([pending(pod("two", cpu="2", priority=200))], seen).rejections
    assert (found.nominated, found.victims, found.overtaken) == ("a", (), ("default/one",))


def test_nothing_is_left_of_what_was_tried():
    seen = picture([A, B], [low("x", "a", "1"), low("x2", "a", "1", priority=300), low("y", "b", priority=300)])
    before = seen.requested.copy(), {key: seen.pod(key) for key in ("default/x", "default/x2", "default/y")}
    decide([pending(pod(**IMPORTANT))], seen)
    assert (seen.requested == before[0]).all()
    assert {key: seen.pod(key) for key in before[1]} == before[1]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.integers(0, 3)), max_size=8),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_it_then_fits_and_nobody_goes_in_vain(placed, cpu, priority):
    nodes = [node("a", cpu="4"), node("b", cpu="4")]
    there = [low(f"p{number}", on, str(asked), priority=rank) for number, (on, asked, rank) in enumerate(placed)]
    seen = picture(nodes, there)
    wanted = pending(pod("new", cpu=str(cpu), priority=priority))
    decision = decide([wanted], seen)
    if not decision.rejections or not decision.rejections[0].nominated:
        return
    [found] = decision.rejections
    by_key = {f"default/{one['metadata']['name']}": one for one in there}
    assert all(by_key[key]["spec"]["priority"] < priority for key in found.victims)
    left = [one for key, one in by_key.items() if key not in found.victims]
    assert decide([wanted], picture(nodes, left)).placements
    alone = [one for one in nodes if one["metadata"]["name"] == found.nominated]
    for key in found.victims:
        assert not decide([wanted], picture(alone, [*left, by_key[key]])).placements
