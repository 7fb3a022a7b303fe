"""Changing one Service changes its elements only, whatever came before, and the end does not depend on the way."""

import functools
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.meta.objects import Object
from steersman.proxy import rule_set, rules
from tests.proxy.builders import endpoint, endpoint_slice, port, service

ONE, TWO, THREE = "10.244.1.2", "10.244.1.3", "10.244.2.2"
UDP = functools.partial(endpoint_slice, name="dns", number=5353, protocol="UDP")


def updated(current: rule_set.RuleSet, service_: Object | None, *slices: Object, key: str = "d/web") -> rule_set.Change:
    change = rule_set.Change()
    current.update(key, service_, slices, change)
    return change


def test_an_unchanged_service_changes_nothing():
    current = rule_set.RuleSet(rules.Place("n1"))
    assert updated(current, service(), endpoint_slice(endpoint(ONE)))
    assert not updated(current, service(), endpoint_slice(endpoint(ONE)))


def test_a_replaced_endpoint_is_one_element():
    current = rule_set.RuleSet(rules.Place("n9"))
    updated(current, service(), endpoint_slice(endpoint(ONE), endpoint(TWO)))
    change = updated(current, service(), endpoint_slice(endpoint(ONE), endpoint(THREE)))
    element = ("endpoints", "10.96.0.1 . tcp . 80 . 0:1")
    assert change == rule_set.Change({element: f"{TWO} . 8080"}, {element: f"{THREE} . 8080"})
    assert rule_set.left_targets(change) == {f"{TWO} . 8080"}


def test_a_service_that_goes_takes_all_its_elements_along():
    current = rule_set.RuleSet(rules.Place("n1"))
    updated(current, service(), endpoint_slice(endpoint(ONE)))
    updated(current, None)
    assert current.elements == {}
    assert list(current.services()) == []


def test_the_first_to_claim_an_address_has_it_until_it_lets_go():
    current = rule_set.RuleSet(rules.Place("n1"))
    first, second = (service(name, f"10.96.0.{n}", externalIPs=["1.2.3.4"]) for n, name in ((1, "a"), (2, "b")))
    key = ("services", "1.2.3.4 . tcp . 80")
    updated(current, first, endpoint_slice(endpoint(ONE), endpoint(TWO)), key="d/a")
    updated(current, second, endpoint_slice(endpoint(ONE)), key="d/b")
    assert current.elements[key] == "goto external-2"
    updated(current, None, key="d/a")
    assert current.elements[key] == "goto external-1"
    updated(current, None, key="d/b")
    assert current.elements == {}


DNS = service("web", "10.96.0.1", port(53, "dns", "UDP", 30053), type="NodePort")

FLOWS = {
    "an endpoint that left": ([ONE, TWO], [TWO], {("10.96.0.1", 53, ONE), ("", 30053, ONE)}),
    "an endpoint that came": ([ONE], [ONE, TWO], set()),
    "the first endpoint": ([], [ONE], {("10.96.0.1", 53, "10.96.0.1")}),
    "the last endpoint": ([ONE], [], {("10.96.0.1", 53, ONE), ("", 30053, ONE)}),
}


@pytest.mark.parametrize(("before", "after", "stale"), FLOWS.values(), ids=FLOWS.keys())
def test_udp_connections_to_forget(before, after, stale):
    current = rule_set.RuleSet(rules.Place("n9"))
    updated(current, DNS, UDP(*map(endpoint, before)))
    assert rule_set.stale_flows(updated(current, DNS, UDP(*map(endpoint, after)))) == stale


def test_tcp_connections_are_left_to_end_by_themselves():
    current = rule_set.RuleSet(rules.Place("n9"))
    updated(current, service(), endpoint_slice(endpoint(ONE), endpoint(TWO)))
    assert rule_set.stale_flows(updated(current, service(), endpoint_slice(endpoint(ONE)))) == set()


def test_who_may_answer_by_udp():
    current = rule_set.RuleSet(rules.Place("n9"))
    updated(current, DNS, UDP(endpoint(ONE), endpoint(TWO)))
    updated(current, service("x", "10.96.0.2"), endpoint_slice(endpoint(ONE), of="x"), key="d/x")
    assert rule_set.served_by_udp(current.elements) == {("10.96.0.1", 53): {ONE, TWO}, ("", 30053): {ONE, TWO}}


addresses = st.lists(st.sampled_from([f"10.244.0.{n}" for n in range(6)]), unique=True, max_size=6)
steps = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.none() | st.tuples(addresses, st.booleans(), st.sampled_from([(), ("1.2.3.4",)])),
    ),
    max_size=12,
)


@given(steps)
def test_changes_lead_to_where_the_elements_say(history):
    """A kernel that applies every change, a batch at a time, holds exactly the wanted elements."""
    kernel: rules.Elements = {}
    current, batch = rule_set.RuleSet(rules.Place("n1")), rule_set.Change()
    for number, (name, state) in enumerate(history):
        if state is None:
            current.update(f"d/{name}", None, (), batch)
        else:
            where, sticky, external = state
            wanted = service(name, f"10.96.1.{ord(name)}", externalIPs=list(external))
            wanted["spec"]["sessionAffinity"] = "ClientIP" if sticky else "None"
            current.update(f"d/{name}", wanted, [endpoint_slice(*map(endpoint, where), of=name)], batch)
        if number % 3 == 2:
            apply(kernel, batch)
            batch = rule_set.Change()
    apply(kernel, batch)
    assert kernel == current.elements


def apply(kernel: rules.Elements, change: rule_set.Change) -> None:
    """As strict as nftables: only what is there can go, only what is not there can come."""
    for element, value in change.removed.items():
        assert kernel.pop(element) == value
    for element, value in change.added.items():
        assert element not in kernel
        kernel[element] = value


@given(st.permutations(["a", "b", "c"]), addresses)
def test_the_order_in_which_services_come_does_not_matter(order, where):
    finals = []
    for names in (order, sorted(order)):
        current = rule_set.RuleSet(rules.Place("n1"))
        for name in names:
            slices = [endpoint_slice(*map(endpoint, where), of=name)]
            current.update(f"d/{name}", service(name, f"10.96.1.{ord(name)}"), slices, rule_set.Change())
        finals.append(current.elements)
    assert all(one == other for one, other in itertools.pairwise(finals))
