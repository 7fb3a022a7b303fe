"""Endpoints written by hand become slices, and follow them."""

import pytest

from steersman.api import kinds
from steersman.controllers.decision import Create, Delete, Update
from steersman.controllers.endpointslice_mirroring import decide
from steersman.controllers.endpointslice_mirroring.decide import Seen
from steersman.meta import objects
from tests.controllers import paper, shapes


def service(**spec):
    found = shapes.service(**spec)
    del found["spec"]["selector"]
    return found


def endpoints(*subsets, labels=None, annotations=None):
    meta = {"name": "web", "namespace": "default", "uid": "e", "labels": labels or {}, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": list(subsets)}


def subset(*addresses, port=80, name="", **more):
    ports = [{"port": port, "protocol": "TCP", **({"name": name} if name else {})}]
    return {"addresses": [{"ip": one} for one in addresses], "ports": ports, **more}


def decided(found, of=None, existing=()):
    return decide.decide(Seen(of or service(), found, existing)).actions


def existing(found):
    """The slices that mirror `found`, as stored."""
    return [
        {
            **action.obj,
            "metadata": {**action.obj["metadata"], "name": f"web-{at}", "uid": str(at), "resourceVersion": "1"},
        }
        for at, action in enumerate(decided(found))
        if isinstance(action, Create)
    ]


def test_a_slice_per_family_and_ports():
    found = endpoints(
        subset("10.0.0.1", "fd00::1", notReadyAddresses=[{"ip": "10.0.0.2", "nodeName": "n", "hostname": "h"}]),
        subset("10.0.0.1", port=81, name="other"),
        labels={"a": "b"},
        annotations={"c": "d", decide.LAST_APPLIED: "{}"},
    )
    made = [action.obj for action in decided(found)]
    assert [(one["addressType"], one["ports"][0]["port"]) for one in made] == [("IPv4", 80), ("IPv6", 80), ("IPv4", 81)]
    assert made[0]["endpoints"] == [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}, "nodeName": "n", "hostname": "h"},
    ]
    assert made[0]["metadata"]["labels"] == {
        "a": "b",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert made[0]["metadata"]["annotations"] == {"c": "d"}
    assert decided(found, existing=existing(found)) == ()


def test_a_changed_address_changes_the_slice():
    before = existing(endpoints(subset("10.0.0.1")))
    [action] = decided(endpoints(subset("10.0.0.2")), existing=before)
    assert isinstance(action, Update)
    assert action.obj["endpoints"][0]["addresses"] == ["10.0.0.2"]
    assert objects.name(action.obj) == "web-0"


def test_other_ports_are_another_slice():
    before = existing(endpoints(subset("10.0.0.1")))
    actions = decided(endpoints(subset("10.0.0.1", port=81)), existing=before)
    assert [type(action) for action in actions] == [Create, Delete]


NOT_MIRRORED = [
    pytest.param(endpoints(subset("10.0.0.1"), labels={decide.SKIP: "true"}), service(), id="asked not to"),
    pytest.param(endpoints(subset("10.0.0.1"), annotations={decide.LEADER: "{}"}), service(), id="a lock"),
    pytest.param(endpoints(subset("10.0.0.1")), shapes.service(), id="a Service with a selector"),
    pytest.param(None, service(), id="gone"),
]


@pytest.mark.parametrize(("found", "of"), NOT_MIRRORED)
def test_not_mirrored(found, of):
    before = existing(endpoints(subset("10.0.0.1")))
    assert [type(action) for action in decided(found, of, before)] == [Delete]
    assert decided(found, of) == ()


def test_a_story():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.SERVICE, service())
            await cluster.create(kinds.ENDPOINTS, endpoints(subset("10.1.2.3")))
            await cluster.settle()
            [found] = await cluster.all(kinds.ENDPOINT_SLICE)
            assert found["endpoints"][0]["addresses"] == ["10.1.2.3"]
            await cluster.patch(kinds.ENDPOINTS, "web", {"subsets": [subset("10.2.3.4")]})
            await cluster.settle()
            [found] = await cluster.all(kinds.ENDPOINT_SLICE)
            assert found["endpoints"][0]["addresses"] == ["10.2.3.4"]
            await cluster.delete(kinds.ENDPOINTS, "web")
            await cluster.settle()
            assert await cluster.all(kinds.ENDPOINT_SLICE) == []

    paper.run(story)
