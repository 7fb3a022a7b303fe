"""What the server says of itself: groups, versions, resources, aggregated or one by one."""

import pytest

from tests.conformance import custom
from tests.conformance.live import Object, Space, wait

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
BUILT_IN = {
    "": {"namespaces", "nodes", "pods", "configmaps", "secrets", "services", "events"},
    "apps": {"deployments", "daemonsets", "statefulsets", "replicasets"},
    "admissionregistration.k8s.io": {
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "validatingadmissionpolicies",
    },
    "apiextensions.k8s.io": {"customresourcedefinitions"},
    "apiregistration.k8s.io": {"apiservices"},
    "authentication.k8s.io": {"tokenreviews"},
    "authorization.k8s.io": {"subjectaccessreviews", "localsubjectaccessreviews"},
    "batch": {"jobs", "cronjobs"},
    "certificates.k8s.io": {"certificatesigningrequests"},
    "coordination.k8s.io": {"leases"},
    "discovery.k8s.io": {"endpointslices"},
    "flowcontrol.apiserver.k8s.io": {"flowschemas", "prioritylevelconfigurations"},
    "networking.k8s.io": {"ingresses", "ingressclasses", "networkpolicies"},
    "policy": {"poddisruptionbudgets"},
    "rbac.authorization.k8s.io": {"roles", "clusterroles", "rolebindings", "clusterrolebindings"},
    "scheduling.k8s.io": {"priorityclasses"},
    "storage.k8s.io": {"storageclasses", "csidrivers", "csinodes", "volumeattachments"},
}


def lasting(space: Space) -> list[Object]:
    """Groups but those of other tests, which come and go."""
    return [group for group in space.api.get("/apis")["groups"] if not group["name"].endswith(".example.com")]


def test_each_group_prefers_a_version_it_has(space: Space) -> None:
    for group in lasting(space):
        one = space.api.get(f"/apis/{group['name']}")
        assert one["preferredVersion"] == group["preferredVersion"]
        assert group["preferredVersion"] in group["versions"]


def test_each_version_has_resources_of_its_own(space: Space) -> None:
    for group in lasting(space):
        version = group["preferredVersion"]["groupVersion"]
        found = space.api.get(f"/apis/{version}")
        assert found["groupVersion"] == version
        assert found["resources"]


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_aggregated(space: Space, path: str) -> None:
    answer = space.api.send("GET", path, headers={"accept": f"{AGGREGATED},application/json"})
    assert answer.headers["content-type"] == AGGREGATED
    found = {group["metadata"].get("name", ""): group["versions"] for group in answer.object["items"]}
    for group, resources in BUILT_IN.items():
        if (group == "") == (path == "/api"):
            assert resources <= {one["resource"] for one in found[group][0]["resources"]}, group
            for one in found[group][0]["resources"]:
                assert one["responseKind"]["kind"]
                assert one["scope"] in ("Cluster", "Namespaced")


def test_a_kind_of_ones_own_is_aggregated(space: Space) -> None:
    foo = custom.made(space.api, custom.definition())

    def look() -> bool:
        found = space.api.ask("GET", "/apis", headers={"accept": AGGREGATED})["items"]
        versions = [one["versions"] for one in found if one["metadata"]["name"] == foo.group]
        return [one["resource"] for version in versions for one in version[0]["resources"]] == [foo.plural]

    wait("it is there", look)
    foo.end()


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_an_aggregated_version_nobody_has(space: Space, path: str) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList"
    assert space.api.send("GET", path, headers={"accept": accept}).status == 406
    assert space.api.send("GET", path, headers={"accept": f"{accept},application/json"}).status == 200


def test_the_version_is_made_of_numbers(space: Space) -> None:
    found = space.api.get("/version")
    assert found["major"].isdigit()
    assert found["minor"].isdigit()


def test_two_nodes_take_pods(space: Space) -> None:
    free = [node for node in space.api.items("/api/v1/nodes") if not node["spec"].get("taints")]
    assert len(free) >= 2


def test_issuer(space: Space) -> None:
    """The keys that the service accounts' tokens are signed by; the rest stands in test_accounts."""
    found = space.api.get("/.well-known/openid-configuration")
    assert found["issuer"].startswith("https://")
    assert found["response_types_supported"] == ["id_token"]
    assert found["subject_types_supported"] == ["public"]
    keys = space.api.send("GET", "/openid/v1/jwks")
    assert keys.headers["content-type"] == "application/jwk-set+json"
    assert {key["use"] for key in keys.object["keys"]} == {"sig"}
