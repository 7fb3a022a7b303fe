"""Which addresses load balancers get."""

import pytest

from steersman.api import kinds
from steersman.controllers.decision import Emit, UpdateStatus
from steersman.controllers.load_balancer import decide
from steersman.controllers.load_balancer.decide import Seen
from steersman.meta import address_pools, objects
from tests.controllers import paper, shapes


def service(name="web", port=80, held=(), created="2026-01-01T10:00:00Z", **spec):
    found = shapes.service(name, type="LoadBalancer", ports=[{"port": port, "protocol": "TCP"}], **spec)
    found["metadata"] |= {"creationTimestamp": created, "uid": name}
    if held:
        found["status"] = {"loadBalancer": {"ingress": [{"ip": one, "ipMode": "VIP"} for one in held]}}
    return found


def node(name, address, ready="True", **labels):
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


NODES = [node("n1", "172.30.0.2"), node("n2", "172.30.0.3")]


def given(*services, pool="", nodes=NODES, local=None):
    """What each Service has afterwards, and the reasons of events."""
    seen = Seen(services, nodes, local or {}, address_pools.parse(pool))
    after = {objects.name(one): [ip["ip"] for ip in (one.get("status") or {}).get("loadBalancer", {}).get("ingress", ())]
             for one in services}  # fmt: skip
    events = []
    for action in decide.decide(seen).actions:
        if isinstance(action, UpdateStatus):
            ingress = action.obj["status"]["loadBalancer"].get("ingress") or ()
            after[objects.name(action.obj)] = [one["ip"] for one in ingress]
        elif isinstance(action, Emit):
            events.append(action.reason)
    return after, events


def test_without_a_pool_all_ready_nodes():
    lost = node("n3", "172.30.0.4", "Unknown")
    excluded = node("n4", "172.30.0.5", **{decide.EXCLUDED: ""})
    after, events = given(service(), nodes=[*NODES, lost, excluded])
    assert after == {"web": ["172.30.0.2", "172.30.0.3"]}
    assert events == ["EnsuredLoadBalancer"]
    assert given(service(held=["172.30.0.2", "172.30.0.3"])) == ({"web": ["172.30.0.2", "172.30.0.3"]}, [])


def test_a_local_one_has_the_nodes_of_its_endpoints():
    local = service(externalTrafficPolicy="Local")
    assert given(local, local={"default/web": frozenset(("n2",))})[0] == {"web": ["172.30.0.3"]}


def test_nobody_gets_a_port_of_a_node_that_another_has():
    after, _ = given(service("old", held=["172.30.0.2"]), service("new"), service("other", port=81))
    assert after["new"] == []
    assert after["other"] == ["172.30.0.2", "172.30.0.3"]
    assert given(service("kubelet", port=10250))[0] == {"kubelet": []}


POOL = "10.0.0.1-10.0.0.2"


def test_one_address_of_the_pool_each():
    after, _ = given(service("a"), service("b"), pool=POOL)
    assert after == {"a": ["10.0.0.1"], "b": ["10.0.0.2"]}


def test_what_one_has_one_keeps_whoever_is_older():
    young = service("young", held=["10.0.0.1"], created="2026-01-02T10:00:00Z")
    assert given(service("old"), young, pool=POOL)[0] == {"old": ["10.0.0.2"], "young": ["10.0.0.1"]}


def test_a_full_pool_is_shared_by_ports():
    after, events = given(service("a"), service("b"), service("c", port=443), service("d"), pool=POOL)
    assert after == {"a": ["10.0.0.1"], "b": ["10.0.0.2"], "c": ["10.0.0.1"], "d": []}
    assert events == ["EnsuredLoadBalancer"] * 3


def test_a_wish_is_granted_or_waited_for():
    assert given(service(loadBalancerIP="10.0.0.2"), pool=POOL)[0] == {"web": ["10.0.0.2"]}
    assert given(service(loadBalancerIP="10.9.9.9"), pool=POOL)[0] == {"web": []}


def test_an_address_that_is_not_of_the_pool_any_more_goes():
    after, events = given(service(held=["10.0.0.1"]), pool="10.1.0.0/30")
    assert after == {"web": ["10.1.0.1"]}
    after, events = given(service(held=["10.0.0.1"]), nodes=[])
    assert (after, events) == ({"web": []}, ["SyncLoadBalancerFailed"])


def test_both_families():
    both = service(ipFamilies=["IPv6", "IPv4"])
    assert given(both, pool="10.0.0.1, fd00::/120")[0] == {"web": ["fd00::", "10.0.0.1"]}


@pytest.mark.parametrize(("named", "expected"), [(None, True), (decide.CLASS, True), ("example.com/other", False)])
def test_classes(named, expected):
    assert decide.is_ours(service(loadBalancerClass=named)) is expected


def test_a_story():
    async def story():
        async with paper.cluster() as cluster:
            config = {"metadata": {"name": "load-balancer", "namespace": "kube-system"}, "data": {"pool": "10.9.0.1"}}
            await cluster.client.create(kinds.CONFIG_MAP, config, "kube-system")
            made = shapes.service(type="LoadBalancer")
            await cluster.create(kinds.SERVICE, made)
            await cluster.settle()
            found = await cluster.get(kinds.SERVICE, "web")
            assert found["status"]["loadBalancer"] == {"ingress": [{"ip": "10.9.0.1", "ipMode": "VIP"}]}
            await cluster.patch(kinds.SERVICE, "web", {"spec": {"type": "ClusterIP"}})
            await cluster.settle()
            assert (await cluster.get(kinds.SERVICE, "web"))["status"] == {"loadBalancer": {}}

    paper.run(story)
