"""What the maps must hold for one Service."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.meta.objects import Object
from steersman.proxy import rules
from tests.proxy.builders import endpoint, endpoint_slice, port, service

HERE = rules.Place("n1")
VIP = "10.96.0.1 . tcp . 80"
EXTERNAL = "1.2.3.4 . tcp . 80"
ONE, TWO, FAR = "10.244.1.2", "10.244.1.3", "10.244.2.2"


def elements(service_: Object, *slices: Object) -> rules.Elements:
    found, _ = rules.of_service(service_, slices, HERE, slots={}, affinity_id=lambda _: 7)
    return found


def verdicts(found: rules.Elements) -> dict[tuple[str, str], str]:
    """Without the sets that every Service has."""
    return {key: value for key, value in found.items() if key[0] not in ("cluster_ips", "hairpin")}


def check(service_: Object, slices: list[Object], expect: dict[tuple[str, str], str]) -> None:
    assert verdicts(elements(service_, *slices)) == expect


READY = endpoint_slice(endpoint(ONE), endpoint(FAR, "n2"))
LOCAL: dict[str, Any] = {"externalTrafficPolicy": "Local"}

CASES: dict[str, tuple[Object, list[Object], dict[tuple[str, str], str]]] = {
    "two ready endpoints": (
        service(),
        [READY],
        {
            ("services", VIP): "goto cluster-2",
            ("endpoints", f"{VIP} . 0:0"): f"{ONE} . 8080",
            ("endpoints", f"{VIP} . 0:1"): f"{FAR} . 8080",
        },
    ),
    "no slice": (service(), [], {("services", VIP): "goto refuse"}),
    "only unready endpoints": (
        service(),
        [endpoint_slice(endpoint(ONE, ready=False))],
        {("services", VIP): "goto refuse"},
    ),
    "terminating endpoints that still serve, when there is no ready one": (
        service(),
        [endpoint_slice(endpoint(ONE, ready=False, serving=True, terminating=True), endpoint(TWO, ready=False))],
        {("services", VIP): "goto cluster-1", ("endpoints", f"{VIP} . 0:0"): f"{ONE} . 8080"},
    ),
    "no terminating endpoint while there is a ready one": (
        service(),
        [endpoint_slice(endpoint(ONE, ready=False, serving=True, terminating=True), endpoint(TWO))],
        {("services", VIP): "goto cluster-1", ("endpoints", f"{VIP} . 0:0"): f"{TWO} . 8080"},
    ),
    "the same endpoint in two slices counts once": (
        service(),
        [endpoint_slice(endpoint(ONE)), endpoint_slice(endpoint(ONE), suffix="2")],
        {("services", VIP): "goto cluster-1", ("endpoints", f"{VIP} . 0:0"): f"{ONE} . 8080"},
    ),
    "ports by name and protocol": (
        service(
            "web",
            "10.96.0.1",
            port(53, "dns", "UDP"),
            port(53, "dns-tcp"),
        ),
        [endpoint_slice(endpoint(ONE), name="dns", number=5353, protocol="UDP")],
        {
            ("services", "10.96.0.1 . udp . 53"): "goto cluster-1",
            ("endpoints", "10.96.0.1 . udp . 53 . 0:0"): f"{ONE} . 5353",
            ("services", "10.96.0.1 . tcp . 53"): "goto refuse",
        },
    ),
    "node port": (
        service("web", "10.96.0.1", port(node_port=30080), type="NodePort"),
        [endpoint_slice(endpoint(FAR, "n2"))],
        {
            ("services", VIP): "goto cluster-1",
            ("endpoints", f"{VIP} . 0:0"): f"{FAR} . 8080",
            ("node_ports", "tcp . 30080"): "goto node-1",
            ("node_endpoints", "tcp . 30080 . 0:0"): f"{FAR} . 8080",
        },
    ),
    "external address, endpoints of this node only from outside": (
        service(externalIPs=["1.2.3.4"], **LOCAL),
        [READY],
        {
            ("services", VIP): "goto cluster-2",
            ("endpoints", f"{VIP} . 0:0"): f"{ONE} . 8080",
            ("endpoints", f"{VIP} . 0:1"): f"{FAR} . 8080",
            ("services", EXTERNAL): "goto external-2",
            ("endpoints", f"{EXTERNAL} . 0:0"): f"{ONE} . 8080",
            ("endpoints", f"{EXTERNAL} . 0:1"): f"{FAR} . 8080",
            ("external_local", EXTERNAL): "goto external-local-1",
            ("local_endpoints", f"{EXTERNAL} . 0:0"): f"{ONE} . 8080",
        },
    ),
    "node port, local, but all endpoints are elsewhere: silence": (
        service("web", "10.96.0.1", port(node_port=30080), type="NodePort", **LOCAL),
        [endpoint_slice(endpoint(FAR, "n2"))],
        {
            ("services", VIP): "goto cluster-1",
            ("endpoints", f"{VIP} . 0:0"): f"{FAR} . 8080",
            ("node_ports", "tcp . 30080"): "goto node-1",
            ("node_endpoints", "tcp . 30080 . 0:0"): f"{FAR} . 8080",
            ("node_ports_local", "tcp . 30080"): "drop",
        },
    ),
    "internal traffic stays on the node": (
        service(internalTrafficPolicy="Local"),
        [READY],
        {("services", VIP): "goto cluster-1", ("endpoints", f"{VIP} . 0:0"): f"{ONE} . 8080"},
    ),
    "internal traffic stays on a node that has no endpoint: silence": (
        service(internalTrafficPolicy="Local"),
        [endpoint_slice(endpoint(FAR, "n2"))],
        {("services", VIP): "drop"},
    ),
    "clients that stay where they are": (
        service("web", "10.96.0.1", port(node_port=30080), sessionAffinity="ClientIP"),
        [endpoint_slice(endpoint(ONE))],
        {
            ("services", VIP): "goto sticky-cluster-1",
            ("endpoints", f"{VIP} . 0:0"): f"{ONE} . 8080",
            ("affinity_ids", VIP): "7",
            ("affinity_timeouts", "7"): "goto record-10800",
            ("node_ports", "tcp . 30080"): "goto sticky-node-1",
            ("node_endpoints", "tcp . 30080 . 0:0"): f"{ONE} . 8080",
            ("node_affinity_ids", "tcp . 30080"): "7",
        },
    ),
    "headless": (service("web", "None"), [READY], {}),
    "without an address yet": (service("web", ""), [READY], {}),
    "another name": (service("web", "", type="ExternalName", externalName="example.com"), [READY], {}),
    "another program's": (
        service(labels={"service.kubernetes.io/service-proxy-name": "steersman-dns"}),
        [READY],
        {},
    ),
    "left alone: somebody wants it headless": (service(labels={"service.kubernetes.io/headless": ""}), [READY], {}),
    "IPv6 only": (service("web", "fd00::1", clusterIPs=["fd00::1"]), [READY], {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_elements(case):
    check(*case)


def test_a_load_balancer_address_counts_unless_it_is_a_proxy():
    balanced = service() | {
        "status": {
            "loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"ip": "1.2.3.5", "ipMode": "Proxy"}, {"hostname": "x"}]}
        }
    }
    found = elements(balanced, READY)
    assert ("services", EXTERNAL) in found
    assert ("services", "1.2.3.5 . tcp . 80") not in found


def test_pods_of_this_node_may_reach_themselves_even_while_unready():
    found = elements(service(), endpoint_slice(endpoint(ONE, ready=False), endpoint(FAR, "n2")))
    assert {key for name, key in found if name == "hairpin"} == {f"{ONE} . {ONE}"}


def hinted(address: str, zone: str = "", node: str = "") -> Object:
    hints: Object = {"forZones": [{"name": zone}]} if zone else {}
    if node:
        hints["forNodes"] = [{"name": node}]
    return endpoint(address, node or "n2") | {"hints": hints}


HINTS = [
    pytest.param([hinted(ONE, "z1"), hinted(TWO, "z2")], [ONE], id="the own zone"),
    pytest.param([hinted(ONE, "z2"), hinted(TWO, "z3")], [ONE, TWO], id="nobody in the own zone"),
    pytest.param([hinted(ONE, "z1"), endpoint(TWO)], [ONE, TWO], id="one without a hint"),
    pytest.param([hinted(ONE, "z1", "n1"), hinted(TWO, "z1", "n2")], [ONE], id="the own node before the zone"),
    pytest.param([hinted(ONE, "z1", "n3"), hinted(TWO, "z2", "n2")], [ONE], id="the zone where no node is near"),
]


@pytest.mark.parametrize(("endpoints", "expected"), HINTS)
def test_hints(endpoints, expected):
    place = rules.Place("n1", "z1")
    found, _ = rules.of_service(service(), [endpoint_slice(*endpoints)], place, slots={}, affinity_id=lambda _: 7)
    assert {value for (name, _), value in found.items() if name == "endpoints"} == {f"{one} . 8080" for one in expected}


def test_two_families_have_rules_of_their_own():
    both = service("web", "10.96.0.1", clusterIPs=["10.96.0.1", "fd00::1"], externalIPs=["1.2.3.4", "2001:db8::1"])
    six = endpoint_slice(endpoint("fd01::2"), suffix="6") | {"addressType": "IPv6"}
    place = rules.Place("n1", family="IPv6")
    found, _ = rules.of_service(both, [READY, six], place, slots={}, affinity_id=lambda _: 7)
    assert found == {
        ("cluster_ips", "fd00::1"): "",
        ("services", "fd00::1 . tcp . 80"): "goto cluster-1",
        ("endpoints", "fd00::1 . tcp . 80 . 0:0"): "fd01::2 . 8080",
        ("services", "2001:db8::1 . tcp . 80"): "goto external-1",
        ("endpoints", "2001:db8::1 . tcp . 80 . 0:0"): "fd01::2 . 8080",
        ("hairpin", "fd01::2 . fd01::2"): "",
    }


def test_sources_of_a_load_balancer_do_not_overlap():
    balanced = service(loadBalancerSourceRanges=["10.0.0.0/8", " 10.1.0.0/16", "fd00::/8", "x"])
    balanced |= {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}
    found = elements(balanced, READY)
    assert {key for key in found if key[0] in ("guarded", "allowed_sources")} == {
        ("guarded", EXTERNAL),
        ("allowed_sources", f"{EXTERNAL} . 10.0.0.0/8"),
    }


def test_ready_endpoints_here():
    slices = [endpoint_slice(endpoint(ONE), endpoint(TWO, ready=False), endpoint(FAR, "n2"))]
    assert rules.local_ready(service(), slices, "n1") == 1


targets = st.lists(st.sampled_from([f"10.244.0.{n} . 80" for n in range(12)]), unique=True)


@given(targets, targets)
def test_slots_have_no_gap_and_move_as_little_as_possible(old, wanted):
    slots = rules.assign_slots(old, wanted)
    assert sorted(slots) == sorted(wanted)
    changed = sum(before != after for before, after in itertools.zip_longest(old, slots))
    left, came = set(old) - set(wanted), set(wanted) - set(old)
    assert changed <= max(len(left), len(came)) + max(0, len(left) - len(came))
    assert rules.assign_slots(slots, wanted) == slots
