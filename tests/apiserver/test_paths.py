"""Paths as upstream's RequestInfo reads them."""

import pytest

from steersman.apiserver import paths

# method, path → verb, group/version, namespace, resource/subresource, name, rest
RESOURCES = [
    ("GET", "/api/v1/namespaces", "list", "v1", "", "namespaces", "", ""),
    ("GET", "/api/v1/namespaces/", "list", "v1", "", "namespaces", "", ""),
    ("GET", "/api/v1/namespaces/a", "get", "v1", "a", "namespaces", "a", ""),
    ("PUT", "/api/v1/namespaces/a/finalize", "update", "v1", "a", "namespaces/finalize", "a", ""),
    ("GET", "/api/v1/namespaces/a/status", "get", "v1", "a", "namespaces/status", "a", ""),
    ("GET", "/api/v1/namespaces/a/pods", "list", "v1", "a", "pods", "", ""),
    ("GET", "/api/v1/pods", "list", "v1", "", "pods", "", ""),
    ("HEAD", "/api/v1/namespaces/a/pods/p", "get", "v1", "a", "pods", "p", ""),
    ("POST", "/api/v1/namespaces/a/pods/p/exec", "create", "v1", "a", "pods/exec", "p", ""),
    ("DELETE", "/api/v1/namespaces/a/pods", "deletecollection", "v1", "a", "pods", "", ""),
    ("DELETE", "/api/v1/namespaces/a/pods/p", "delete", "v1", "a", "pods", "p", ""),
    ("PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale", "patch", "apps/v1", "a", "deployments/scale", "d", ""),
    ("GET", "/apis/apps/v1/deployments", "list", "apps/v1", "", "deployments", "", ""),
    ("GET", "/api/v1/watch/namespaces/a/pods", "watch", "v1", "a", "pods", "", ""),
    ("GET", "/api/v1/namespaces/a/services/s:80/proxy/x/y", "get", "v1", "a", "services/proxy", "s:80", "x/y"),
    ("GET", "/api/v1/namespaces/a/services/s/proxy/", "get", "v1", "a", "services/proxy", "s", ""),
    ("GET", "/api/v1/nodes/n/proxy/metrics", "get", "v1", "", "nodes/proxy", "n", "metrics"),
    ("GET", "/apis/x.example.com/v1/a/b/c/d/e", "get", "x.example.com/v1", "", "a/c", "b", "d/e"),
]


@pytest.mark.parametrize(
    ("method", "path", "verb", "version", "namespace", "resource", "name", "rest"),
    RESOURCES,
    ids=[f"{row[0]} {row[1]}" for row in RESOURCES],
)
def test_resources(method, path, verb, version, namespace, resource, name, rest):
    found = paths.parse(method, path)
    group, _, of_group = version.rpartition("/")
    assert found.is_resource
    assert (found.verb, found.group, found.version, found.namespace) == (verb, group, of_group, namespace)
    assert (found.full_resource, found.name, found.rest) == (resource, name, rest)


@pytest.mark.parametrize(
    "path",
    ["/", "//", "", "/api", "/api/v1", "/apis/apps/v1", "/healthz", "/api/v1//pods", "api/v1/pods"],
)
def test_everything_else_is_a_plain_path(path):
    found = paths.parse("GET", path)
    assert (found.is_resource, found.verb, found.path) == (False, "get", path)
