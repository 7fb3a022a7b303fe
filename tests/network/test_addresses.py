"""Which address comes next."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.network import addresses

SMALL = ipaddress.IPv4Network("10.244.1.0/29")  # .2 to .6 are for pods

CASES = {
    "the first": (set(), "", "10.244.1.2"),
    "the one after the last": (set(), "10.244.1.3", "10.244.1.4"),
    "round the corner": (set(), "10.244.1.6", "10.244.1.2"),
    "past those in use": ({"10.244.1.2", "10.244.1.3"}, "", "10.244.1.4"),
    "the only one left is the last one": ({f"10.244.1.{n}" for n in (2, 3, 5, 6)}, "10.244.1.4", "10.244.1.4"),
}


@pytest.mark.parametrize(("used", "last", "expect"), CASES.values(), ids=CASES.keys())
def test_pick(used, last, expect):
    assert addresses.pick(SMALL, used, last) == expect


@pytest.mark.parametrize("network", ["10.0.0.0/30", "10.0.0.0/31", "10.0.0.0/32"])
def test_room_for_few_or_none(network):
    cidr = ipaddress.IPv4Network(network)
    if cidr.prefixlen == 30:
        assert addresses.pick(cidr, set(), "") == "10.0.0.2"
    else:
        with pytest.raises(addresses.AddressesExhausted, match="no room"):
            addresses.pick(cidr, set(), "")


@given(st.lists(st.integers(-1, 4), max_size=30))
def test_none_is_given_twice(history):
    used: list[str] = []
    last = ""
    for step in history:
        if step >= 0 and step < len(used):
            used.pop(step)
        elif len(used) < 5:
            last = addresses.pick(SMALL, used, last)
            assert last not in used
            assert ipaddress.IPv4Address(last) in SMALL
            used.append(last)
    if len(used) == 5:
        with pytest.raises(addresses.AddressesExhausted, match="all 5"):
            addresses.pick(SMALL, used, last)
