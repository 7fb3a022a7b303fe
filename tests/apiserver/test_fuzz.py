"""Whatever comes in, the answer is a Status of the client's own making, never a 500."""

import asyncio
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies

from tests.apiserver import kit

WORDS = strategies.sampled_from(
    ["", "api", "apis", "v1", "apps", "namespaces", "default", "pods", "configmaps", "deployments", "services", "nodes",
     "events", "p", "status", "scale", "log", "exec", "proxy", "binding", "token", "eviction", "watch", "openapi", "v2",
     "v3", "metrics", "..", "%", "serviceaccounts", "authorization.k8s.io", "selfsubjectaccessreviews"]
)  # fmt: skip
PATHS = strategies.lists(WORDS, max_size=9).map(lambda parts: "/" + "/".join(parts))
GOOD_PATHS = strategies.sampled_from(
    [kit.PODS, f"{kit.PODS}/p", f"{kit.PODS}/p/status", f"{kit.PODS}/p/binding", f"{kit.PODS}/p/eviction", kit.MAPS,
     f"{kit.MAPS}/a", kit.DEPLOYMENTS, f"{kit.DEPLOYMENTS}/d", f"{kit.DEPLOYMENTS}/d/scale", kit.SERVICES,
     f"{kit.SERVICES}/s", "/api/v1/namespaces", "/api/v1/namespaces/x/finalize", "/api/v1/nodes",
     "/apis/rbac.authorization.k8s.io/v1/clusterroles", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
     "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
     "/apis/authentication.k8s.io/v1/tokenreviews", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
     "/api/v1/namespaces/default/serviceaccounts/default/token", "/apis/scheduling.k8s.io/v1/priorityclasses",
     "/api/v1/namespaces/default/events", "/apis/coordination.k8s.io/v1/namespaces/default/leases",
     "/api/v1/namespaces/default/endpoints", "/api/v1/namespaces/default/secrets"]
)  # fmt: skip

VALUES = strategies.recursive(
    strategies.one_of(
        strategies.none(),
        strategies.booleans(),
        strategies.integers(-(2**63), 2**64 - 1),
        strategies.floats(allow_nan=False, allow_infinity=False),
        strategies.text(max_size=8),
        strategies.sampled_from(
            ["a", "default", "10Gi", "2026-01-01T00:00:00Z", "http", "ClusterIP", "NodePort", "None"]
        ),
    ),
    lambda inner: (
        strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = strategies.sampled_from(
    ["metadata", "spec", "status", "name", "namespace", "labels", "annotations", "finalizers", "uid", "resourceVersion",
     "generateName", "ownerReferences", "deletionTimestamp", "containers", "image", "ports", "port", "nodePort", "clusterIP",
     "clusterIPs", "type", "selector", "matchLabels", "template", "replicas", "target", "kind", "apiVersion", "data", "rules",
     "verbs", "apiGroups", "resources", "subjects", "roleRef", "tolerations", "volumes", "initContainers", "env",
     "priorityClassName", "serviceAccountName", "deleteOptions", "endpoints", "addresses", "resourceAttributes",
     "nonResourceAttributes", "user", "groups", "extra", "token", "audiences", "boundObjectRef", "expirationSeconds",
     "gracePeriodSeconds", "propagationPolicy", "preconditions", "dryRun", "value", "globalDefault", "securityContext",
     "resources", "limits", "requests", "cpu", "strategy", "rollingUpdate", "maxSurge", "conditions", "phase",
     "ephemeralContainers", "imagePullSecrets", "taints", "podCIDR", "aggregationRule", "clusterRoleSelectors"]
)  # fmt: skip


def nested(inner: Any) -> Any:
    return strategies.dictionaries(FIELDS, inner, max_size=5)


BODIES = nested(
    nested(nested(VALUES | nested(VALUES)) | strategies.lists(nested(VALUES), max_size=2) | VALUES) | VALUES
)
RAW = strategies.one_of(BODIES.map(orjson.dumps), VALUES.map(orjson.dumps), strategies.binary(max_size=40))
TYPES = strategies.sampled_from(
    ["application/json", "application/yaml", "application/merge-patch+json", "application/json-patch+json",
     "application/strategic-merge-patch+json", "application/vnd.kubernetes.protobuf", "text/plain", "", "x;y"]
)  # fmt: skip
QUERIES = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(
            ["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch", "dryRun",
             "fieldValidation", "gracePeriodSeconds", "propagationPolicy", "pretty", "includeObject", "timeoutSeconds",
             "orphanDependents", "container", "tailLines", "command", "stdout", "sendInitialEvents"]
        ),
        strategies.sampled_from(["", "1", "-1", "abc", "a=b", "a in (b", "metadata.name=p",
             "All", "true", "Exact", "9" * 30, "%00"]),
    ),
    max_size=3,
).map(lambda pairs: "&".join(f"{key}={value}" for key, value in pairs))  # fmt: skip
METHODS = strategies.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO"])
ACCEPTS = strategies.sampled_from(
    ["", "*/*", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io",
     "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
     "application/vnd.kubernetes.protobuf", ";;;", "a/b;c=d,,"]
)  # fmt: skip


@pytest.fixture
def quiet_loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.mark.slow
@hypothesis.settings(
    max_examples=600,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
@hypothesis.given(METHODS, PATHS | GOOD_PATHS, QUERIES, TYPES, ACCEPTS, RAW)
def test_bad_input_is_never_our_fault(quiet_loop, method, path, query, content_type, accept, body):
    async def story() -> None:
        async with kit.Api() as api:
            await kit.with_account(api)
            await api.make(kit.PODS, kit.pod("p"))
            await api.make(kit.MAPS, kit.config_map("a"))
            await api.make(kit.DEPLOYMENTS, kit.deployment("d"))
            await api.make(kit.SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
            headers = {"content-type": content_type, "accept": accept}
            answer = await api.ask(method, path, body, query=query, headers=headers)
            assert answer.status < 500 or answer.status in (503, 504), (answer.status, answer.raw)
            if answer.status >= 400 and not path.startswith(("/healthz", "/livez", "/readyz")):
                assert answer.body["kind"] == "Status"

    quiet_loop.run_until_complete(story())
