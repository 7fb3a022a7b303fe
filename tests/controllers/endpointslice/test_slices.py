"""Endpoints spread over slices: exactly the wanted ones, few writes, at most 100 each."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.controllers.decision import Create, Decision, Delete, Update
from steersman.controllers.endpointslice import decide, slices
from steersman.controllers.endpointslice.decide import Seen
from steersman.meta import objects
from tests.controllers import shapes
from tests.controllers.model import Model


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


def service(**spec):
    found = shapes.service(**spec)
    found["metadata"] |= {"uid": "svc", "resourceVersion": "3"}
    found["spec"].setdefault("clusterIP", "10.96.0.7")
    return found


def pod(name, ip="10.244.0.1", *, ready=True, ports=(), phase="Running", node="node-1", spec=None, **meta):
    container = {"name": "web", "ports": list(ports)}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "labels": {"app": "web"}, **meta},
        "spec": {"nodeName": node, "containers": [container], **(spec or {})},
        "status": {
            "phase": phase,
            "podIP": ip,
            "podIPs": [{"ip": ip}] if ip else [],
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def entries(decision):
    """Name → (ready, serving, terminating) of all endpoints in written slices."""
    return {
        one["targetRef"]["name"]: tuple(one["conditions"][name] for name in ("ready", "serving", "terminating"))
        for action in decision.actions
        if isinstance(action, Create | Update) and action.kind is kinds.ENDPOINT_SLICE
        for one in action.obj["endpoints"]
    }


CONDITIONS = [
    pytest.param(pod("p"), {}, {"p": (True, True, False)}, id="ready"),
    pytest.param(pod("p", ready=False), {}, {"p": (False, False, False)}, id="not ready"),
    pytest.param(pod("p", deletionTimestamp="x"), {}, {"p": (False, True, True)}, id="terminating but serving"),
    pytest.param(
        pod("p", ready=False), {"publishNotReadyAddresses": True}, {"p": (True, False, False)}, id="published anyway"
    ),
    pytest.param(pod("p", ip=""), {}, {}, id="no address yet"),
    pytest.param(pod("p", phase="Succeeded"), {}, {}, id="ended"),
]


@pytest.mark.parametrize(("one", "spec", "expected"), CONDITIONS)
def test_conditions(one, spec, expected):
    assert entries(decided(Seen(service(**spec), [one]))) == expected


def test_a_new_slice():
    named = [{"name": "http", "containerPort": 8081}]
    of = service(ports=[{"name": "web", "port": 80, "targetPort": "http", "appProtocol": "h2c"}])
    of["metadata"]["labels"] = {"team": "a"}
    seen = Seen(of, [pod("p", ports=named)], zones={"node-1": "z1"}, trigger_time=shapes.STAMP)
    create, endpoints = decided(seen).actions
    assert create.obj == {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": "web-",
            "namespace": "default",
            "labels": {
                "team": "a",
                "kubernetes.io/service-name": "web",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "name": "web",
                    "uid": "svc",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": shapes.STAMP},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": ["10.244.0.1"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "targetRef": {"kind": "Pod", "namespace": "default", "name": "p", "uid": "p"},
                "nodeName": "node-1",
                "zone": "z1",
            }
        ],
        "ports": [{"name": "web", "port": 8081, "protocol": "TCP", "appProtocol": "h2c"}],
    }
    assert endpoints.obj["subsets"] == [
        {
            "addresses": [
                {
                    "ip": "10.244.0.1",
                    "targetRef": {"kind": "Pod", "namespace": "default", "name": "p", "uid": "p"},
                    "nodeName": "node-1",
                }
            ],
            "ports": [{"name": "web", "port": 8081, "protocol": "TCP", "appProtocol": "h2c"}],
        }
    ]


def test_a_headless_service_names_its_pods():
    of = service(clusterIP="None", ipFamilies=["IPv4"])
    one = pod("p", spec={"hostname": "db-0", "subdomain": "web"})
    create = decided(Seen(of, [one])).actions[0]
    assert objects.labels(create.obj)["service.kubernetes.io/headless"] == ""
    assert create.obj["endpoints"][0]["hostname"] == "db-0"


def test_a_service_without_pods_has_one_empty_slice():
    create = decided(Seen(service(), [])).actions[0]
    assert create.obj["endpoints"] == []
    there = {**create.obj, "metadata": {**create.obj["metadata"], "name": "web-x", "uid": "x"}}
    wanted = slices.Wanted(service(), "IPv4", {})
    assert slices.reconcile(wanted, [there]) == ()


@pytest.mark.parametrize(
    "spec", [{"selector": None}, {"selector": {}}, {"type": "ExternalName"}], ids=["none", "empty", "external"]
)
def test_endpoints_of_others_are_left_alone(spec):
    assert decided(Seen(service(**spec), [pod("p")])).actions == ()


def test_the_endpoints_object_goes_with_its_service():
    mine = {"metadata": {"name": "web", "namespace": "default", "uid": "e", "labels": {}}}
    assert decided(Seen(None, endpoints=mine)).actions == ()
    mine["metadata"]["labels"] = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    [delete] = decided(Seen(None, endpoints=mine)).actions
    assert isinstance(delete, Delete)


steps = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 300)), min_size=1, max_size=6)


@settings(max_examples=15, deadline=None)
@given(steps)
def test_slices_hold_exactly_what_is_wanted_with_few_writes(ranges):
    model = Model()
    of = service()
    for start, count in ranges:
        everyone = {
            f"p{index}": pod(f"p{index}", f"10.244.{index // 250}.{index % 250 + 1}")
            for index in range(start, start + count)
        }
        groups = decide._groups(of, list(everyone.values()), "IPv4", {})
        before = {objects.name(one): one for one in model.all(kinds.ENDPOINT_SLICE)}
        actions = slices.reconcile(slices.Wanted(of, "IPv4", groups), list(before.values()))
        model.apply(Decision(actions))
        after = model.all(kinds.ENDPOINT_SLICE)
        found = [entry["targetRef"]["name"] for one in after for entry in one["endpoints"]]
        assert sorted(found) == sorted(everyone)
        assert all(len(one["endpoints"]) <= slices.PER_SLICE_MAX for one in after)
        assert len(after) >= 1
        assert slices.reconcile(slices.Wanted(of, "IPv4", groups), after) == ()


HINTS = [
    pytest.param(None, True, None, id="nothing wished"),
    pytest.param("PreferClose", True, {"forZones": [{"name": "z"}]}, id="close"),
    pytest.param("PreferSameZone", True, {"forZones": [{"name": "z"}]}, id="zone"),
    pytest.param("PreferSameNode", True, {"forZones": [{"name": "z"}], "forNodes": [{"name": "node-1"}]}, id="node"),
    pytest.param("PreferSameZone", False, None, id="not ready"),
]


@pytest.mark.parametrize(("distribution", "ready", "expected"), HINTS)
def test_hints(distribution, ready, expected):
    wish = {"trafficDistribution": distribution} if distribution else {}
    seen = Seen(service(**wish), [pod("p", ready=ready)], zones={"node-1": "z"})
    [entry] = decided(seen).actions[0].obj["endpoints"]
    assert entry.get("hints") == expected
