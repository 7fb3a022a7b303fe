import pytest

from steersman.api import kinds, openapi

KINDS = list(kinds.BUILTIN)
PUBLISHER = openapi.Publisher()


def _references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


@pytest.mark.parametrize("path", PUBLISHER.v3_paths(KINDS))
def test_every_reference_leads_somewhere(path):
    document = PUBLISHER.v3(KINDS, path)
    schemas = document["components"]["schemas"]
    for reference in set(_references(document)):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_v2_is_closed_too():
    document = PUBLISHER.v2(KINDS)
    for reference in set(_references(document)):
        assert reference.removeprefix("#/definitions/") in document["definitions"]


def test_kubectl_finds_field_validation_and_merge_keys():
    document = PUBLISHER.v3(KINDS, "apis/apps/v1")
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "kind": "Deployment", "version": "v1"}
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    containers = document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert (containers["x-kubernetes-patch-merge-key"], containers["type"]) == ("name", "array")


def test_the_schema_packages_rewriting_is_undone():
    schemas = PUBLISHER.v3(KINDS, "api/v1")["components"]["schemas"]
    assert schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"] == "int-or-string"
    pod = schemas["io.k8s.api.core.v1.Pod"]["properties"]
    assert "enum" not in pod["kind"]
    assert pod["spec"]["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}]
    assert PUBLISHER.v2(KINDS)["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"] == "string"


def test_the_index_names_documents_by_their_content():
    index = PUBLISHER.v3_index(KINDS)["paths"]
    assert index["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1?hash=")
    fewer = PUBLISHER.v3_index([kind for kind in KINDS if kind.kind != "Pod"])["paths"]
    assert fewer["api/v1"] != index["api/v1"]
    assert fewer["apis/apps/v1"] == index["apis/apps/v1"]


def test_method_names_of_generated_clients():
    paths = PUBLISHER.v2(KINDS)["paths"]
    item = paths["/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/{name}"]
    assert item["get"]["operationId"] == "readRbacAuthorizationV1NamespacedRole"
    assert paths["/api/v1/pods"]["get"]["operationId"] == "listCoreV1PodForAllNamespaces"
    assert paths["/api/v1/nodes"]["delete"]["operationId"] == "deleteCoreV1CollectionNode"
