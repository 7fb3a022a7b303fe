"""How many replicas a metric asks for."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.controllers.horizontal_pod_autoscaler import replicas
from steersman.controllers.horizontal_pod_autoscaler.replicas import Measured, Target, Tolerance
from tests.controllers import shapes
from tests.controllers.horizontal_pod_autoscaler.builders import measured, pod, pods

USUAL = Tolerance()


def target(found, current=None, tolerance=USUAL):
    return Target("default", len(found) if current is None else current, found, tolerance, shapes.NOW)


UTILIZATION = {
    "on target": (pods(3), (500, 500, 500), 3),
    "within the tolerance": (pods(3), (540, 540, 540), 3),
    "twice as much": (pods(3), (1000, 1000, 1000), 6),
    "half": (pods(4), (250, 250, 250, 250), 2),
    "rounded up": (pods(3), (700, 700, 700), 5),
    "one is missing, and it would go down": (pods(3), (250, 250), 3),
    "one is missing, and it would go up": (pods(3), (1000, 1000), 4),
    "one is pending, and it would go up": ([*pods(2), pod("x", phase="Pending")], (1000, 1000), 4),
    "one is pending, and it would go down": ([*pods(4), pod("x", phase="Pending")], (250, 250, 250, 250), 2),
    "one is going": ([*pods(2), pod("p2", deletionTimestamp=shapes.STAMP)], (1000, 1000, 9999), 4),
    "one has failed": ([*pods(2), pod("p2", phase="Failed")], (1000, 1000, 9999), 4),
    "one is starting": ([*pods(2), pod("p2", age=20)], (500, 500, 9999), 3),
    "one was never ready": ([*pods(2), pod("p2", ready=False)], (500, 500, 9999), 3),
}


@pytest.mark.parametrize(("found", "values", "expect"), UTILIZATION.values(), ids=UTILIZATION.keys())
def test_half_of_the_requested_cpu(found, values, expect):
    assert replicas.by_utilization(target(found), measured(*values), "cpu", 50).replicas == expect


def test_what_is_used_now():
    asked = replicas.by_utilization(target(pods(2)), measured(300, 500), "cpu", 40)
    assert (asked.percent, asked.value, asked.replicas) == (40, 400, 2)


UNKNOWN = {
    "no pods": ([], (), "no pods returned by selector while calculating replica count"),
    "nothing measured": (pods(1), (), "did not receive metrics for targeted pods (pods might be unready)"),
    "no request": ([pod("p0", "")], (1,), "missing request for cpu in container main of Pod p0"),
}


@pytest.mark.parametrize(("found", "values", "expect"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_cannot_be_told(found, values, expect):
    with pytest.raises(replicas.Unknown) as why:
        replicas.by_utilization(target(found), measured(*values), "cpu", 50)
    assert str(why.value) == expect


def test_one_container_of_several():
    found = pod("p0")
    found["spec"]["containers"].append({"name": "other"})
    with pytest.raises(replicas.Unknown, match="container other"):
        replicas.by_utilization(target([found]), measured(500), "cpu", 50)
    assert replicas.by_utilization(target([found]), measured(1000), "cpu", 50, "main").replicas == 2


AVERAGE = {
    "on target": (pods(3), (20000, 20000, 20000), 3),
    "more": (pods(3), (40000, 40000, 40000), 6),
    "one is missing, and it would go down": (pods(3), (10000, 10000), 2),
    "one is missing, and it would go up": (pods(3), (40000, 40000), 4),
    "memory does not care for the start": ([pod("p0", age=10, ready=False)], (40000,), 2),
}


@pytest.mark.parametrize(("found", "values", "expect"), AVERAGE.values(), ids=AVERAGE.keys())
def test_twenty_for_each_pod(found, values, expect):
    assert replicas.by_average(target(found), measured(*values), 20000).replicas == expect


@pytest.mark.parametrize(("current", "value", "expect"), [(4, 10000, 4), (4, 20000, 8), (4, 5000, 2), (0, 25000, 3)])
def test_one_value_for_all(current, value, expect):
    found = target(pods(current), current)
    assert replicas.by_value(found, value, 10000).replicas == expect


@pytest.mark.parametrize(
    ("running", "value", "expect", "now"), [(4, 40000, 4, 10000), (4, 81000, 9, 20250), (0, 25000, 3, 0)]
)
def test_one_value_divided_by_the_replicas(running, value, expect, now):
    asked = replicas.by_value_per_pod(target(pods(running), running), running, value, 10000)
    assert (asked.replicas, asked.value) == (expect, now)


def test_the_tolerance_may_be_another():
    found = target(pods(3), tolerance=Tolerance(up=0.5, down=0.0))
    assert replicas.by_utilization(found, measured(700, 700, 700), "cpu", 50).replicas == 3
    assert replicas.by_utilization(found, measured(400, 400, 400), "cpu", 50).replicas == 3
    assert replicas.by_utilization(found, measured(300, 300, 300), "cpu", 50).replicas == 2


def test_old_measurements_of_a_young_pod_do_not_count():
    young = pod("p0", age=100)
    long_ago = {"p0": Measured(500, shapes.NOW - datetime.timedelta(seconds=90), 30)}
    assert replicas.classify(target([young]), long_ago, "cpu").unready == {"p0"}
    assert replicas.classify(target([young]), measured(500), "cpu").ready == 1


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 3), st.integers(10, 200)
)
def test_pods_nobody_knows_about_never_turn_the_direction(values, missing, pending, percent):
    found = pods(len(values))
    found += [pod(f"m{number}") for number in range(missing)]
    found += [pod(f"x{number}", phase="Pending") for number in range(pending)]
    asked = replicas.by_utilization(target(found), measured(*values), "cpu", percent)
    used = sum(values) * 100 // (1000 * len(values))
    if used <= percent and not missing:
        assert asked.replicas <= len(found)
    if used >= percent:
        assert asked.replicas >= len(found) or not (missing or (pending and used > percent))
