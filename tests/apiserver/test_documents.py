"""Discovery, OpenAPI, health, version, metrics, and what a fresh cluster has."""

import pytest

from steersman.apiserver import discovery
from steersman.apiserver.protobuf import openapi as openapi_protobuf
from steersman.apiserver.protobuf import wire
from steersman.serving.messages import Peer
from tests.apiserver import kit


async def test_legacy_discovery(api: kit.Api):
    assert (await api.ask("GET", "/api")).body["versions"] == ["v1"]
    groups = {group["name"]: group for group in (await api.ask("GET", "/apis")).body["groups"]}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert (await api.ask("GET", "/apis/apps")).body["kind"] == "APIGroup"
    core = {one["name"]: one for one in (await api.ask("GET", "/api/v1")).body["resources"]}
    pods = core["pods"]
    assert (pods["singularName"], pods["kind"], pods["namespaced"], pods["shortNames"]) == ("pod", "Pod", True, ["po"])
    assert core["pods/binding"]["kind"] == "Binding"
    scale = {one["name"]: one for one in (await api.ask("GET", "/apis/apps/v1")).body["resources"]}["deployments/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    assert (await api.ask("GET", "/apis/nope/v1")).status == 404


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
async def test_aggregated_discovery(api: kit.Api, version: str):
    accept = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList,application/json"
    answer = await api.ask("GET", "/apis", headers={"accept": accept})
    assert answer.headers["content-type"] == accept.split(",")[0]
    assert answer.body["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    apps = next(item for item in answer.body["items"] if item["metadata"]["name"] == "apps")
    resources = {one["resource"]: one for one in apps["versions"][0]["resources"]}
    assert resources["deployments"]["scope"] == "Namespaced"
    assert {sub["subresource"] for sub in resources["deployments"]["subresources"]} == {"scale", "status"}
    again = await api.ask("GET", "/apis", headers={"accept": accept, "if-none-match": answer.headers["etag"]})
    assert (again.status, again.raw) == (304, b"")
    core = await api.ask("GET", "/api", headers={"accept": accept})
    assert [item["metadata"].get("name", "") for item in core.body["items"]] == [""]


def test_newer_and_more_stable_versions_come_first():
    versions = ["v1alpha1", "v1beta2", "v1", "v2", "v1beta10", "foo"]
    assert sorted(versions, key=discovery.version_priority) == ["v2", "v1", "v1beta10", "v1beta2", "v1alpha1", "foo"]


async def test_openapi_v3(api: kit.Api):
    index = (await api.ask("GET", "/openapi/v3")).body["paths"]
    address = index["apis/apps/v1"]["serverRelativeURL"]
    answer = await api.ask("GET", address)
    assert "immutable" in answer.headers["cache-control"]
    patch = answer.body["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert "fieldValidation" in [one["name"] for one in patch["parameters"]]
    assert (await api.ask("GET", address, headers={"if-none-match": answer.headers["etag"]})).status == 304
    assert (await api.ask("GET", "/openapi/v3/apis/nope")).status == 404


async def test_openapi_v2_as_json_and_protobuf(api: kit.Api):
    spec = (await api.ask("GET", "/openapi/v2")).body
    assert "io.k8s.api.core.v1.Pod" in spec["definitions"]
    answer = await api.ask("GET", "/openapi/v2", headers={"accept": openapi_protobuf.ASKED})
    assert answer.headers["content-type"] == openapi_protobuf.CONTENT_TYPE
    top = [(number, bytes(value)) for number, _, value in wire.fields(answer.raw) if isinstance(value, memoryview)]
    assert [number for number, _ in top] == [1, 2, 8, 9]
    assert sum(1 for _ in wire.fields(top[2][1])) == len(spec["paths"])
    assert sum(1 for _ in wire.fields(top[3][1])) == len(spec["definitions"])


async def test_health(api: kit.Api):
    assert (await api.ask("GET", "/readyz")).raw == b"ok"
    verbose = (await api.ask("GET", "/readyz", query="verbose")).raw.decode()
    assert verbose.startswith("[+]ping ok\n")
    assert verbose.endswith("readyz check passed\n")
    assert (await api.ask("GET", "/livez/ping")).raw == b"ok"
    assert (await api.ask("GET", "/livez/nope")).status == 404
    await api.server.close()
    down = await api.ask("GET", "/readyz")
    assert (down.status, b"[-]informer-sync failed" in down.raw) == (500, True)
    assert (await api.ask("GET", "/readyz", query="exclude=informer-sync")).raw == b"ok"
    told = (await api.ask("GET", "/readyz/informer-sync")).raw
    assert told == b"internal server error: not started\n"
    assert b"[-]informer-sync failed: reason withheld\n" in down.raw


async def test_health_checks_have_upstreams_names(api: kit.Api):
    """Those of upstream's end-to-end test of health handlers."""
    lines = (await api.ask("GET", "/readyz", query="verbose=1&exclude=log&exclude=none")).raw.decode().splitlines()
    for name in (
        "ping",
        "etcd",
        "informer-sync",
        "poststarthook/start-kube-apiserver-admission-initializer",
        "poststarthook/generic-apiserver-start-informers",
        "poststarthook/start-apiextensions-informers",
        "poststarthook/start-apiextensions-controllers",
        "poststarthook/crd-informer-synced",
        "poststarthook/bootstrap-controller",
        "poststarthook/start-system-namespaces-controller",
        "poststarthook/scheduling/bootstrap-system-priority-classes",
        "poststarthook/start-cluster-authentication-info-controller",
        "poststarthook/start-kube-aggregator-informers",
        "poststarthook/apiservice-registration-controller",
        "poststarthook/apiservice-status-available-controller",
        "poststarthook/kube-apiserver-autoregistration",
        "autoregister-completion",
        "poststarthook/apiservice-openapi-controller",
    ):
        assert f"[+]{name} ok" in lines
    assert "[+]log excluded: ok" in lines
    assert lines[-2:] == ['warn: some health checks cannot be excluded: no matches for "none"', "readyz check passed"]
    assert "/readyz/etcd" in (await api.ask("GET", "/")).body["paths"]


async def test_what_has_not_started_is_not_well():
    api = kit.Api()
    answer = await api.ask("GET", "/livez")
    assert answer.status == 500
    assert b"[-]poststarthook/crd-informer-synced failed: reason withheld" in answer.raw


async def test_version(api: kit.Api):
    found = (await api.ask("GET", "/version")).body
    assert (found["major"], found["minor"]) == ("1", "37")
    assert found["gitVersion"] == "v1.37.0+steersman"


async def test_metrics(api: kit.Api):
    await api.ask("GET", kit.MAPS)
    await api.ask("GET", "/api/v1/namespaces/default/strangers")
    text = (await api.ask("GET", "/metrics")).raw.decode()
    assert 'apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="configmaps"' in text
    assert 'resource="strangers"' not in text


async def test_what_health_checks_have_said(api: kit.Api):
    assert (await api.ask("GET", "/metrics/slis")).raw == b""
    for _ in range(2):
        await api.ask("GET", "/livez?exclude=log")
    lines = (await api.ask("GET", "/metrics/slis")).raw.decode().splitlines()
    assert 'kubernetes_healthcheck{name="ping",type="livez"} 1' in lines
    assert 'kubernetes_healthchecks_total{name="ping",status="success",type="livez"} 2' in lines
    assert not any('name="log"' in line for line in lines)


async def test_what_the_server_is_and_was_started_with():
    async with kit.Api(flags={"store": "memory"}) as api:
        monitoring = Peer("127.0.0.1", "prometheus", ("system:monitoring",))
        text = (await api.ask("GET", "/statusz", peer=monitoring)).raw.decode()
        assert text.startswith("\nkube-apiserver statusz\nWarning: ")
        assert "\nPaths: /flagz /healthz /livez /metrics /readyz /statusz /version\n" in text
        wanted = {"accept": "application/json;v=v1beta1;g=config.k8s.io;as=Flagz"}
        flags = (await api.ask("GET", "/flagz", headers=wanted, peer=monitoring)).body
        assert flags == {
            "kind": "Flagz",
            "apiVersion": "config.k8s.io/v1beta1",
            "metadata": {"name": "kube-apiserver"},
            "flags": {"store": "memory"},
        }
        refused = await api.ask("GET", "/statusz", headers={"accept": "application/json"})
        assert refused.refusal[:2] == (406, "NotAcceptable")
        assert (await api.ask("GET", "/flagz", peer=kit.BOB)).status == 403


async def test_metrics_in_upstreams_words(api: kit.Api):
    await api.make(f"{kit.MAPS}?dryRun=All", kit.config_map("a"))
    await api.make(kit.MAPS, kit.config_map("a"))
    await api.ask(
        "PATCH",
        f"{kit.MAPS}/a",
        kit.config_map("a"),
        "fieldManager=m",
        {"content-type": "application/apply-patch+yaml"},
    )
    await api.ask("GET", "/api/v1/endpoints")
    lines = (await api.ask("GET", "/metrics")).raw.decode().splitlines()
    start = 'apiserver_request_total{code="201",component="apiserver",dry_run="%s",group="",resource="configmaps",'
    end = 'scope="resource",subresource="",verb="POST",version="v1"} 1'
    assert {start % "" + end, start % "All" + end} <= set(lines)
    assert any('verb="APPLY"' in line for line in lines)
    assert 'apiserver_storage_objects{resource="configmaps"} 2' in lines  # and the one about legacy tokens
    assert 'apiserver_storage_objects{resource="clusterroles.rbac.authorization.k8s.io"}' in "\n".join(lines)
    deprecated = 'group="",version="v1",resource="endpoints",subresource="",removed_release=""'
    assert f"apiserver_requested_deprecated_apis{{{deprecated}}} 1" in lines
    names = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    described = {line.split(" ")[2] for line in lines if line.startswith("# TYPE")}
    histograms = [line.split(" ")[2] for line in lines if line.startswith("# TYPE") and line.endswith(" histogram")]
    assert names - {f"{name}{end}" for name in histograms for end in ("_bucket", "_sum", "_count")} <= described
    assert len(described) == sum(line.startswith("# TYPE") for line in lines), "each family stands in one place"
    assert {"process_resident_memory_bytes", "kubernetes_build_info", "apiserver_current_inflight_requests"} <= names


async def test_a_fresh_cluster(api: kit.Api):
    listed = (await api.ask("GET", "/api/v1/namespaces")).body["items"]
    assert [one["metadata"]["name"] for one in listed] == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert all(one["status"]["phase"] == "Active" for one in listed)
    service = (await api.ask("GET", f"{kit.SERVICES}/kubernetes")).body
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    roles = (await api.ask("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles")).body["items"]
    assert {"cluster-admin", "admin", "edit", "view", "system:node"} <= {one["metadata"]["name"] for one in roles}


async def test_the_endpoint_of_kubernetes_follows_the_address():
    first = kit.Api(advertise=("172.30.1.1", 6443))
    path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
    async with first as api:
        assert (await api.ask("GET", path)).body["endpoints"][0]["addresses"] == ["172.30.1.1"]
        second = kit.Api(advertise=("172.30.2.1", 6444), store=api.store)
        before = api.store.revision
        await second.server.start()
        moved = (await second.ask("GET", path)).body
        assert (moved["endpoints"][0]["addresses"], moved["ports"][0]["port"]) == (["172.30.2.1"], 6444)
        assert api.store.revision == before + 1
        await second.server.close()


def message(number: int, value: bytes) -> bytes:
    return wire.write_bytes(number, value)


def number(field: int, value: int) -> bytes:
    return wire.write_varint(field << 3) + wire.write_varint(value)


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    meta = message(1, api_version.encode()) + message(2, kind.encode())
    return b"k8s\x00" + message(1, meta) + message(2, raw) + message(3, b"") + message(4, b"")


async def test_protobuf_bodies(api: kit.Api):
    """A Deployment as client-go sends it: replicas 0 is a wish, minReadySeconds 0 and empty texts are nothing."""
    port = message(1, b"") + number(2, 0) + number(3, 80) + message(4, b"") + message(5, b"")
    volume = message(1, b"tmp") + message(2, message(2, message(1, b"")))  # an emptyDir, embedded in Go
    limit = message(1, b"cpu") + message(2, message(1, b"250m"))
    container = message(1, b"main") + message(2, b"nginx") + message(6, port) + message(8, message(1, limit))
    labels = message(11, message(1, b"app") + message(2, b"d"))
    spec = number(1, 0) + message(2, message(1, message(1, b"app") + message(2, b"d")))
    spec += message(3, message(1, labels) + message(2, message(1, volume) + message(2, container))) + number(5, 0)
    body = envelope("apps/v1", "Deployment", message(1, message(1, b"d") + message(8, b"")) + message(2, spec))
    headers = {
        "content-type": "application/vnd.kubernetes.protobuf",
        "accept": "application/vnd.kubernetes.protobuf,application/json",
    }
    answer = await api.ask("POST", kit.DEPLOYMENTS, body, headers=headers)
    assert answer.status == 201, answer.raw
    found = answer.body["spec"]
    assert found["replicas"] == 0
    assert "minReadySeconds" not in found
    pod = found["template"]["spec"]
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    assert pod["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert pod["containers"][0]["resources"] == {"limits": {"cpu": "250m"}}


BROKEN = {
    "no magic": b"abc",
    "cut short": envelope("v1", "ConfigMap", b"")[:-20],
    "unknown kind": envelope("v1", "Stranger", b""),
    "wrong wire type": envelope("v1", "ConfigMap", number(1, 5)),
    "group end": b"k8s\x00\x0c",
    "endless number": b"k8s\x00" + b"\xff" * 12,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
async def test_broken_protobuf_is_400(api: kit.Api, body: bytes):
    headers = {"content-type": "application/vnd.kubernetes.protobuf"}
    assert (await api.ask("POST", kit.MAPS, body, headers=headers)).refusal[:2] == (400, "BadRequest")
