"""Changes of a Service's type by GET, change and PUT, as client-go does them (upstream's test/e2e/network/service.go)."""

from typing import Any

import pytest

from tests.apiserver import kit
from tests.apiserver.kit import SERVICES

SHAPES: dict[str, dict[str, Any]] = {
    "ClusterIP": {"type": "ClusterIP", "ports": [{"port": 80}], "selector": {"a": "b"}},
    "NodePort": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"a": "b"}},
    "LoadBalancer": {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "ports": [{"port": 80}],
        "selector": {"a": "b"},
    },
    "ExternalName": {"type": "ExternalName", "externalName": "foo.example.com"},
}


def changed(obj: Any, to: str) -> Any:
    """What upstream's tests set, and nothing else."""
    spec = obj["spec"]
    spec["type"] = to
    if to == "ExternalName":
        spec["externalName"] = "foo.example.com"
        spec.pop("clusterIP", None)
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
    else:
        spec.pop("externalName", None)
        spec.setdefault("ports", [{"port": 80, "name": "http", "protocol": "TCP"}])
    if to == "ClusterIP":
        for port in spec["ports"]:
            port.pop("nodePort", None)
    return obj


def check(spec: Any, kind: str) -> None:
    """Upstream's sanityCheckService."""
    assert spec["type"] == kind
    assert bool(spec.get("externalName")) == (kind == "ExternalName")
    assert bool(spec.get("clusterIP")) == (kind != "ExternalName")
    assert bool(spec.get("clusterIPs")) == (kind != "ExternalName")
    assert bool(spec.get("ipFamilies")) == bool(spec.get("ipFamilyPolicy")) == (kind != "ExternalName")
    for port in spec.get("ports") or ():
        assert bool(port.get("nodePort")) == (kind in ("NodePort", "LoadBalancer"))
    assert bool(spec.get("externalTrafficPolicy")) == (kind in ("NodePort", "LoadBalancer"))


@pytest.mark.parametrize("before", SHAPES)
@pytest.mark.parametrize("after", SHAPES)
async def test_from_every_type_to_every_other(api: kit.Api, before: str, after: str):
    made = await api.make(SERVICES, {"metadata": {"name": "s"}, "spec": SHAPES[before]})
    check(made["spec"], before)
    answer = await api.ask("PUT", f"{SERVICES}/s", changed(made, after))
    assert answer.status == 200, answer.raw
    check(answer.body["spec"], after)
    again = await api.ask("PUT", f"{SERVICES}/s", answer.body)
    assert again.body["metadata"]["resourceVersion"] == answer.body["metadata"]["resourceVersion"]


async def test_two_protocols_at_one_port(api: kit.Api):
    made = await api.make(SERVICES, {"metadata": {"name": "s"}, "spec": SHAPES["ClusterIP"]})
    made["spec"]["type"] = "NodePort"
    made["spec"]["ports"] = [
        {"name": "tcp-port", "port": 80, "protocol": "TCP"},
        {"name": "udp-port", "port": 80, "protocol": "UDP"},
    ]
    answer = await api.ask("PUT", f"{SERVICES}/s", made)
    assert answer.status == 200, answer.raw
    assert all(port["nodePort"] for port in answer.body["spec"]["ports"])


async def test_a_status_lifecycle(api: kit.Api):
    spec = {**SHAPES["LoadBalancer"], "loadBalancerClass": "example.com/internal-vip"}
    await api.make(SERVICES, {"metadata": {"name": "s"}, "spec": spec})
    address = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}
    patched = await api.ask("PATCH", f"{SERVICES}/s/status", {"status": address}, headers=kit.MERGE)
    assert patched.body["status"]["loadBalancer"]["ingress"] == [{"ip": "203.0.113.1", "ipMode": "VIP"}]
    found = (await api.ask("GET", f"{SERVICES}/s/status")).body
    condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set by a test"}
    found["status"]["conditions"] = [{**condition, "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    updated = await api.ask("PUT", f"{SERVICES}/s/status", found)
    assert updated.body["status"]["conditions"][0]["reason"] == "E2E"
    body = {"metadata": {"labels": {"test-service": "patched"}}}
    labelled = await api.ask("PATCH", f"{SERVICES}/s", body, headers=kit.STRATEGIC)
    assert labelled.body["metadata"]["labels"] == {"test-service": "patched"}
    assert labelled.body["status"]["loadBalancer"] == patched.body["status"]["loadBalancer"]
    assert (await api.ask("DELETE", f"{SERVICES}/s")).body["kind"] == "Service"
