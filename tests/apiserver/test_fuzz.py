"""Whatever comes in, the answer is a Status of the client's own making, never a 500."""

import asyncio
import collections
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies

from steersman.api import kinds, schema
from steersman.apiserver import keys
from tests.apiserver import fuzzing, kit
from tests.apiserver.extensions import definitions

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


# --- by the documents the server serves ---

# What upstream answers with 5xx, too: somebody else who did not answer, and addresses that are all taken.
FAILURES = (
    "failed calling webhook",
    "conversion webhook for",
    "no way to its",
    "no endpoints available",
    "dialing backend",
    "range is full",
)


async def prepared(api: kit.Api) -> None:
    """Some objects of the names that requests use; those that are there stay."""
    for path, body in (
        ("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}}),
        (kit.PODS, kit.pod("p")),
        (kit.MAPS, kit.config_map("a")),
        (kit.DEPLOYMENTS, kit.deployment("d")),
        (kit.SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}),
        ("/api/v1/nodes", {"metadata": {"name": "a"}}),
        (definitions.DEFINITIONS, definitions.definition(definitions.version())),
        (definitions.CRONTABS, definitions.crontab("a")),
    ):
        await api.ask("POST", path, body)


async def cleaned(api: kit.Api) -> None:
    """Without what would change how every other request ends."""
    for path in (
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
        "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
        "/api/v1/namespaces/default/resourcequotas",
        "/api/v1/namespaces/default/limitranges",
    ):
        await api.ask("DELETE", path)
    for one in (await api.ask("GET", "/apis/apiregistration.k8s.io/v1/apiservices")).body["items"]:
        if one["spec"].get("service"):
            await api.ask("DELETE", f"/apis/apiregistration.k8s.io/v1/apiservices/{one['metadata']['name']}")


async def check_stored(api: kit.Api) -> None:
    """Every object is whole: it can be read, has what the server gives, and is valid as it stands."""
    known = {keys.prefix(kind): kind for kind in kinds.BUILTIN if kind.storage is None}
    page = await api.store.list("/")
    for entry in page.entries:
        obj = orjson.loads(entry.value)
        namespace, name = keys.split(entry.key)
        meta = obj["metadata"]
        assert (meta["name"], meta.get("namespace", "")) == (name, namespace), entry.key
        assert meta["uid"], entry.key
        assert meta["creationTimestamp"], entry.key
        kind = known.get("/".join(entry.key.split("/", 3)[:3]) + "/")
        if kind is not None:
            assert obj["kind"] == kind.kind, entry.key
            clean, unknown = schema.decode(kind, dict(obj), "Warn")
            assert not unknown, (entry.key, unknown)
            if kind.validate is not None:
                assert [str(one) for one in kind.validate(clean, None)] == [], entry.key


async def send(api: kit.Api, sent: fuzzing.Sent) -> kit.Answer:
    answer = await api.ask(sent.method, sent.path, sent.body, query=sent.query, headers=sent.headers)
    close = getattr(answer.response.stream, "aclose", None)
    if close is not None:
        await close()
    return answer


async def fuzz(seeds: range) -> collections.Counter[int]:
    """How many requests got each status. A failure names the seed that makes the request again."""
    statuses: collections.Counter[int] = collections.Counter()
    async with kit.Api() as api:
        await prepared(api)
        paths = (await api.ask("GET", "/openapi/v3")).body["paths"]
        documents = [(await api.ask("GET", one["serverRelativeURL"].split("?")[0])).body for one in paths.values()]
        fuzzer = fuzzing.Fuzzer(documents)
        for count, seed in enumerate(seeds):
            sent = fuzzer.request(seed)
            answer = await send(api, sent)
            statuses[answer.status] += 1
            if answer.status >= 500:
                text = answer.raw.decode(errors="replace")
                assert answer.status != 500 or any(one in text for one in FAILURES), (seed, sent, text)
                assert answer.status in (500, 503, 504), (seed, sent, text)
            elif answer.status >= 400 and answer.headers.get("content-type") == "application/json":
                assert answer.body["kind"] == "Status", (seed, sent)
            if count % 40 == 0:
                await cleaned(api)
                await prepared(api)
            if count % 250 == 249:
                await check_stored(api)
        await check_stored(api)
    return statuses


@pytest.mark.slow
async def test_a_sample_of_malformed_requests_by_the_served_documents():
    statuses = await fuzz(range(1200))
    assert sum(statuses.values()) == 1200
    assert statuses[201] > 10  # it gets past the first door
    assert statuses[422] > 50


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
async def test_malformed_requests_by_the_served_documents(part: int):
    statuses = await fuzz(range(10_000 + part * 20_000, 10_000 + (part + 1) * 20_000))
    assert sum(statuses.values()) == 20_000
