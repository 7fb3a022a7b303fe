"""Seats by shares, and who lends to whom."""

import hypothesis
from hypothesis import strategies

from steersman.api import flow_objects
from steersman.apiserver.flowcontrol import shares
from steersman.apiserver.flowcontrol.shares import Need, Seats


def test_the_levels_of_every_cluster_have_upstreams_seats():
    found = shares.seats(flow_objects.LEVELS, 600)
    assert found["exempt"] == Seats(0, 0, 600)
    assert found["workload-low"] == Seats(245, 25, 600)
    assert found["system"] == Seats(74, 50, 600)
    assert found["catch-all"] == Seats(13, 13, 600)


def test_a_borrowing_limit():
    limited = {"nominalConcurrencyShares": 10, "lendablePercent": 50, "borrowingLimitPercent": 25}
    assert shares.seats({"a": {"limited": limited}}, 100) == {"a": Seats(100, 50, 125)}


def test_who_needs_more_gets_what_others_do_not_need():
    needs = {"busy": Need(Seats(50, 50, 100), 500), "idle": Need(Seats(50, 10, 100), 0)}
    assert shares.allocate(needs, 100) == {"busy": 90, "idle": 10}
    back = {"busy": Need(Seats(50, 50, 100), 500), "idle": Need(Seats(50, 10, 100), 40)}
    assert shares.allocate(back, 100) == {"busy": 60, "idle": 40}


_SEATS = strategies.builds(
    lambda nominal, lent, more: Seats(nominal, nominal - min(lent, nominal), nominal + more),
    strategies.integers(1, 100),
    strategies.integers(0, 100),
    strategies.integers(0, 100),
)


@hypothesis.given(
    strategies.lists(strategies.builds(Need, _SEATS, strategies.integers(0, 300)), min_size=1, max_size=6)
)
def test_nobody_gets_less_than_is_his_or_more_than_he_may_have(listed):
    needs = {str(index): need for index, need in enumerate(listed)}
    total = sum(need.seats.nominal for need in listed)
    found = shares.allocate(needs, total)
    for name, need in needs.items():
        assert found[name] >= max(1, need.least) or found[name] == int(need.least)
        assert found[name] <= max(1, need.seats.upper)
    assert sum(found.values()) <= total + len(needs)
