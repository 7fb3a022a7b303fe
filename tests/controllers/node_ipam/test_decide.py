"""Ranges of pod addresses: everyone gets one, nobody the same."""

import ipaddress
import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steersman.controllers.decision import Emit
from steersman.controllers.node_ipam import decide
from steersman.controllers.node_ipam.decide import Seen


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


def node(name, cidr=""):
    spec = {"podCIDR": cidr, "podCIDRs": [cidr]} if cidr else {}
    return {"metadata": {"name": name, "uid": name, "resourceVersion": "1"}, "spec": spec}


def seen(nodes, cidrs=("10.244.0.0/16",), bits=(24,)):
    waiting = [one for one in nodes if not decide.ranges_of(one)]
    return Seen(waiting, [text for one in nodes for text in decide.ranges_of(one)], cidrs, bits)


def given_to(decision):
    return {one.name: one.patch["spec"]["podCIDRs"] for one in decision.actions if not isinstance(one, Emit)}


def test_the_first_free_ranges():
    nodes = [node("a", "10.244.0.0/24"), node("b"), node("c", "10.244.2.0/24"), node("d")]
    found = given_to(decided(seen(nodes)))
    assert found == {"b": ["10.244.1.0/24"], "d": ["10.244.3.0/24"]}


def test_what_a_node_says_itself_keeps_no_other_from_its_range():
    nodes = [node("a", "10.244.0.7/24"), node("b", "nonsense"), node("c")]
    assert given_to(decided(seen(nodes))) == {"c": ["10.244.1.0/24"]}


def test_both_families():
    found = given_to(decided(seen([node("a")], ("10.244.0.0/16", "fd00::/48"), (24, 64))))
    assert found == {"a": ["10.244.0.0/24", "fd00::/64"]}


def test_none_left():
    nodes = [node("a", "10.0.0.0/25"), node("b", "10.0.0.128/25"), node("c")]
    [event] = decided(seen(nodes, ("10.0.0.0/24",), (25,))).actions
    assert (event.reason, event.message) == ("CIDRNotAvailable", "Node c status is now: CIDRNotAvailable")


@given(st.lists(st.sampled_from(["", "10.0.0.0/26", "10.0.1.0/27", "10.0.3.0/28", "10.0.2.0/25"]), max_size=12))
def test_ranges_never_overlap(present):
    odd = [cidr for cidr in dict.fromkeys(present) if cidr]
    nodes = [node(f"odd-{index}", cidr) for index, cidr in enumerate(odd)]
    nodes += [node(f"new-{index}") for index in range(present.count(""))]
    found = given_to(decided(seen(nodes, ("10.0.0.0/22",), (26,))))
    everyone = [ipaddress.ip_network(one) for one in (*odd, *(cidr for [cidr] in found.values()))]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(everyone, 2))
