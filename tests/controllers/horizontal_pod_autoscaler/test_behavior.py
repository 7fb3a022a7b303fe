"""How fast the number may change."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.defaults import autoscalers
from steersman.controllers.horizontal_pod_autoscaler import behavior
from steersman.controllers.horizontal_pod_autoscaler.behavior import Change, History, Wish
from tests.controllers import shapes


def at(seconds):
    return shapes.NOW - datetime.timedelta(seconds=seconds)


def history(*recommendations, ups=(), downs=()):
    """Of (seconds ago, replicas)."""
    first, second, third = (
        tuple(Change(at(ago), count) for ago, count in found) for found in (recommendations, ups, downs)
    )
    return History(first, second, third)


NOTHING = History()


def limit(current, desired, found=NOTHING, rules=None, least=1, most=100):
    given = behavior.limit(Wish(current, desired, least, most, found, shapes.NOW), rules)
    return given.replicas, given.stable[0], given.limit[0], given.is_limited


READY, FREE = "ReadyForNewScale", "DesiredWithinRange"
PLAIN = {
    "as wished": (limit(3, 5), (5, READY, FREE, False)),
    "at most twice": (limit(5, 50), (10, READY, "ScaleUpLimit", True)),
    "four are always allowed": (limit(1, 50), (4, READY, "ScaleUpLimit", True)),
    "not more than the maximum": (limit(5, 50, most=6), (6, READY, "TooManyReplicas", True)),
    "not fewer than the minimum": (limit(5, 1, least=2), (2, READY, "TooFewReplicas", True)),
    "lately more were needed": (limit(9, 2, history((100, 7), (400, 9))), (7, "ScaleDownStabilized", FREE, False)),
    "long ago more were needed": (limit(9, 2, history((400, 9))), (2, READY, FREE, False)),
}


@pytest.mark.parametrize(("found", "expect"), PLAIN.values(), ids=PLAIN.keys())
def test_without_a_behavior(found, expect):
    assert found == expect


def rules(up=None, down=None):
    obj = {"spec": {"behavior": {"scaleUp": up or {}, "scaleDown": down or {}}}}
    autoscalers.default_autoscaler(obj)
    return obj["spec"]["behavior"]


def policies(*found, **more):
    return {"policies": [{"type": kind, "value": value, "periodSeconds": 60} for kind, value in found], **more}


SLOW = rules(policies(("Pods", 2)), policies(("Percent", 10), stabilizationWindowSeconds=0))
BEHAVIOR = {
    "the defaults double": (limit(10, 50, rules=rules()), (20, READY, "ScaleUpLimit", True)),
    "or add four": (limit(1, 50, rules=rules()), (5, READY, "ScaleUpLimit", True)),
    "two a minute": (limit(10, 50, rules=SLOW), (12, READY, "ScaleUpLimit", True)),
    "two a minute, one was added": (limit(11, 50, history(ups=[(30, 1)]), SLOW), (12, READY, "ScaleUpLimit", True)),
    "two a minute, long ago": (limit(11, 50, history(ups=[(61, 1)]), SLOW), (13, READY, "ScaleUpLimit", True)),
    "ten percent down": (limit(100, 50, rules=SLOW), (90, READY, "ScaleDownLimit", True)),
    "ten percent down, five went": (limit(95, 50, history(downs=[(30, 5)]), SLOW), (90, READY, "ScaleDownLimit", True)),
    "the smaller of two": (
        limit(10, 50, rules=rules(policies(("Pods", 2), ("Percent", 100), selectPolicy="Min"))),
        (12, READY, "ScaleUpLimit", True),
    ),
    "never down": (
        limit(10, 5, rules=rules(down={"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0})),
        (10, READY, "ScaleDownLimit", True),
    ),
    "stable for a while before it goes up": (
        limit(5, 9, history((10, 6), (90, 5)), rules({"stabilizationWindowSeconds": 60})),
        (6, "ScaleUpStabilized", FREE, False),
    ),
    "stable for five minutes before it goes down": (
        limit(9, 2, history((100, 7), (400, 9)), rules()),
        (7, "ScaleDownStabilized", FREE, False),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("found", "expect"), BEHAVIOR.values(), ids=BEHAVIOR.keys())
def test_with_a_behavior(found, expect):
    assert found == expect


def test_only_what_has_happened_is_remembered():
    decided = History().decided(shapes.NOW, 3, 5)
    assert decided.settled(5).ups == (Change(shapes.NOW, 2),)
    assert decided.settled(3) == History()
    assert History().decided(shapes.NOW, 5, 3).settled(3).downs == (Change(shapes.NOW, 2),)


def test_after_an_hour_it_is_forgotten():
    old = history((3700, 5), (10, 6))
    assert [one.replicas for one in old.recommended(shapes.NOW, 7).recommendations] == [6, 7]


@given(
    st.integers(1, 50), st.integers(0, 100), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 100)), max_size=5),
    st.sampled_from([None, rules(), SLOW]),
)  # fmt: skip
def test_always_within_bounds(current, desired, recommended, given_rules):
    replicas, *_ = limit(current, desired, history(*recommended), given_rules, least=1, most=50)
    assert 1 <= replicas <= 50
