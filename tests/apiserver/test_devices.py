"""What storage of resource.k8s.io does beside checking fields."""

import pytest

from tests.apiserver import kit

CLAIMS = "/apis/resource.k8s.io/{}/namespaces/default/resourceclaims"
TEMPLATES = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaimtemplates"
RULES = "/apis/resource.k8s.io/v1/devicetaintrules"
SLICES = "/apis/resource.k8s.io/{}/resourceslices"
NAMESPACE = "/api/v1/namespaces/default"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_admin_access_only_where_the_namespace_allows_it(api: kit.Api, version: str):
    asked = {"deviceClassName": "gpu", "adminAccess": True}
    request = {"name": "one", **(asked if version == "v1beta1" else {"exactly": asked})}
    claim = {"metadata": {"name": "c"}, "spec": {"devices": {"requests": [request]}}}
    refused = await api.ask("POST", CLAIMS.format(version), claim)
    assert refused.status == 422
    [cause] = refused.body["details"]["causes"]
    text = "admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace"
    assert (cause["field"], cause["message"]) == ("spec.devices.requests[0].adminAccess", f"Forbidden: {text}")
    if version == "v1":
        template = {"metadata": {"name": "t"}, "spec": {"spec": claim["spec"]}}
        assert (await api.ask("POST", TEMPLATES, template)).status == 422
    labels = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    await api.ask("PATCH", NAMESPACE, labels, headers=kit.MERGE)
    await api.make(CLAIMS.format(version), claim)


async def test_a_taint_says_since_when_it_is_there(api: kit.Api):
    taint = {"key": "k", "effect": "NoSchedule"}
    rule = await api.make(RULES, {"metadata": {"name": "r"}, "spec": {"taint": taint, "deviceSelector": {}}})
    first = rule["spec"]["taint"]["timeAdded"]
    rule["spec"]["taint"] |= {"effect": "NoExecute", "timeAdded": "2020-01-01T00:00:00Z"}
    updated = (await api.ask("PUT", f"{RULES}/r", rule)).body
    assert updated["spec"]["taint"]["timeAdded"] == "2020-01-01T00:00:00Z"
    updated["spec"]["taint"]["effect"] = "None"
    again = (await api.ask("PUT", f"{RULES}/r", updated)).body
    assert again["spec"]["taint"]["timeAdded"] >= first


@pytest.mark.parametrize("version", ["v1", "v1beta2"])
async def test_taints_of_slices(api: kit.Api, version: str):
    devices = [{"name": "d", "taints": [{"key": "k", "effect": "NoSchedule"}]}]
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "gpu.test", "allNodes": True, "pool": pool, "devices": devices}
    made = await api.make(SLICES.format(version), {"metadata": {"name": "s"}, "spec": spec})
    assert made["spec"]["devices"][0]["taints"][0]["timeAdded"]
