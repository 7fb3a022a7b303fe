"""The client libraries people use, against a cluster in this process: each does the round that its own users do."""

# Their types call every field optional.
# mypy: disable-error-code="union-attr,index,call-overload,arg-type,attr-defined,misc"

import asyncio
import contextlib
import gc
import logging
import textwrap

import kr8s
import kubernetes
import kubernetes_asyncio
import lightkube
import pytest
import yaml
from kr8s.asyncio.objects import Deployment as Kr8sDeployment
from kr8s.asyncio.objects import Pod as Kr8sPod
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod

from steersman.meta.errors import StatusError
from steersman.testing import Cluster

# Several leave their sockets to the garbage collector.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

WEB = yaml.safe_load(
    textwrap.dedent(
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, labels: {app: web}}
        spec:
          replicas: 2
          selector: {matchLabels: {app: web}}
          template:
            metadata:
              labels: {app: web}
              annotations:
                fake.steersman.dev/logs: "hello\\n"
                fake.steersman.dev/exec: '{"date": {"stdout": "today\\n"}}'
            spec:
              containers: [{name: main, image: "localhost/hello:1"}]
        """
    )
)


@pytest.fixture(scope="module")
def shared():
    with Cluster(nodes=2) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared):
    with shared.fork() as fork:
        yield fork
    gc.collect()  # what a library left is this test's, not the next one's


class TestKubernetes:
    """The official client."""

    @pytest.fixture
    def api(self, cluster):
        config = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(str(cluster.kubeconfig), client_configuration=config)
        with kubernetes.client.ApiClient(config) as api:
            yield api

    def test_typed(self, cluster, api):
        apps, core = kubernetes.client.AppsV1Api(api), kubernetes.client.CoreV1Api(api)
        made = apps.create_namespaced_deployment("default", WEB)
        assert made.spec.strategy.type == "RollingUpdate"
        cluster.wait("deployment/web", "Available")
        pods = core.list_namespaced_pod("default", label_selector="app=web").items
        assert {pod.status.phase for pod in pods} == {"Running"}
        assert core.read_namespaced_pod_log(pods[0].metadata.name, "default") == "hello\n"
        apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 1}})
        cluster.wait("deployment/web", lambda obj: obj["status"]["availableReplicas"] == 1)
        found = apps.read_namespaced_deployment("web", "default")
        found.metadata.labels["seen"] = "yes"
        assert apps.replace_namespaced_deployment("web", "default", found).metadata.labels["seen"] == "yes"
        with pytest.raises(kubernetes.client.ApiException) as conflict:
            apps.replace_namespaced_deployment("web", "default", found)
        assert (conflict.value.status, conflict.value.reason) == (409, "Conflict")
        apps.delete_namespaced_deployment("web", "default", propagation_policy="Foreground")
        cluster.wait("deployment/web", "Deleted")

    def test_watch(self, cluster, api):
        core = kubernetes.client.CoreV1Api(api)
        seen = []
        cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}})
        watch = kubernetes.watch.Watch()
        for event in watch.stream(core.list_namespaced_config_map, "default", timeout_seconds=20):
            if event["object"].metadata.name != "one":
                continue
            seen.append(event["type"])
            if event["type"] == "ADDED":
                core.delete_namespaced_config_map("one", "default")
            else:
                watch.stop()
        assert seen == ["ADDED", "DELETED"]

    @pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnraisableExceptionWarning"
    )  # it leaves its socket to the collector
    def test_exec(self, cluster, api):
        cluster.apply(WEB)
        cluster.wait("deployment/web", "Available")
        core = kubernetes.client.CoreV1Api(api)
        name = core.list_namespaced_pod("default").items[0].metadata.name
        answer = kubernetes.stream.stream(
            core.connect_get_namespaced_pod_exec, name, "default", command=["date"], stdout=True, stderr=True
        )
        assert answer == "today\n"

    def test_dynamic(self, cluster, api):
        dynamic = kubernetes.dynamic.DynamicClient(api)
        deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
        deployments.create(body=WEB, namespace="default")
        cluster.wait("deployment/web", "Available")
        patch = {"spec": {"replicas": 1}}
        patched = deployments.patch(
            body=patch, name="web", namespace="default", content_type="application/merge-patch+json"
        )
        assert patched.spec.replicas == 1
        assert deployments.get(name="web", namespace="default").metadata.name == "web"
        events = list(deployments.watch(namespace="default", timeout=1))
        assert events[0]["object"].metadata.name == "web"
        deployments.delete(name="web", namespace="default")

    def test_server_side_apply(self, cluster, api):
        dynamic = kubernetes.dynamic.DynamicClient(api)
        maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}
        made = maps.server_side_apply(body=body, namespace="default", field_manager="tests")
        assert made.data.a == "1"
        assert [one.manager for one in made.metadata.managedFields] == ["tests"]

    def test_from_yaml_and_leader_election_by_lease(self, cluster, api):
        kubernetes.utils.create_from_dict(api, WEB)
        cluster.wait("deployment/web", "Available")
        leases = kubernetes.client.CoordinationV1Api(api)
        lease = {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}}
        made = leases.create_namespaced_lease("default", lease)
        made.spec.holder_identity = "you"
        assert leases.replace_namespaced_lease("leader", "default", made).spec.holder_identity == "you"


async def test_kubernetes_asyncio(cluster):
    config = kubernetes_asyncio.client.Configuration()
    await kubernetes_asyncio.config.load_kube_config(str(cluster.kubeconfig), client_configuration=config)
    async with kubernetes_asyncio.client.ApiClient(config) as api:
        apps, core = kubernetes_asyncio.client.AppsV1Api(api), kubernetes_asyncio.client.CoreV1Api(api)
        await apps.create_namespaced_deployment("default", WEB)
        running: set[str] = set()
        async with kubernetes_asyncio.watch.Watch().stream(
            core.list_namespaced_pod, "default", timeout_seconds=20
        ) as stream:
            async for event in stream:
                if event["object"].status.phase == "Running":
                    running.add(event["object"].metadata.name)
                if len(running) == 2:
                    break
        assert await core.read_namespaced_pod_log(running.pop(), "default") == "hello\n"
        await apps.delete_namespaced_deployment("web", "default")


def test_lightkube(cluster):
    config = lightkube.KubeConfig.from_file(str(cluster.kubeconfig))
    client = lightkube.Client(config=config, namespace="default", trust_env=False)
    try:
        client.create(Deployment.from_dict(WEB))
        client.wait(Deployment, "web", for_conditions=["Available"])
        pods = list(client.list(Pod, labels={"app": "web"}))
        assert len(pods) == 2
        assert list(client.log(pods[0].metadata.name)) == ["hello\n"]
        client.patch(Deployment, "web", {"spec": {"replicas": 1}})
        made = client.apply(
            ConfigMap(metadata=ObjectMeta(name="one"), data={"a": "1"}, apiVersion="v1", kind="ConfigMap"),
            field_manager="tests",
        )
        assert made.data == {"a": "1"}
        for kind, found in client.watch(ConfigMap, fields={"metadata.name": "one"}):
            assert (kind, found.data) == ("ADDED", {"a": "1"})
            break
        client.delete(Deployment, "web")
        with pytest.raises(lightkube.ApiError, match='configmaps "none" not found'):
            client.get(ConfigMap, "none")
    finally:
        client._client._client.close()


@pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported")
async def test_large_lists_come_compressed(cluster):
    """Both libraries ask for gzip; the server packs lists of 128 KiB and more on their way out."""
    for number in range(4):
        cluster.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{number}"}, "data": {"a": "x" * 90_000}}
        )
    config = lightkube.KubeConfig.from_file(str(cluster.kubeconfig))
    client = lightkube.Client(config=config, namespace="default", trust_env=False)
    try:
        maps = [one for one in client.list(ConfigMap) if one.metadata.name.startswith("m")]
        assert [len(one.data["a"]) for one in maps] == [90_000] * 4
        answer = client._client._client.get("/api/v1/configmaps")
        assert answer.headers["content-encoding"] == "gzip"
    finally:
        client._client._client.close()
    api = await kr8s.asyncio.api(kubeconfig=str(cluster.kubeconfig))
    assert len([one async for one in api.get("configmaps") if one.name.startswith("m")]) == 4


def test_events_of_both_groups(cluster):
    """The official client's typed events of events.k8s.io are those of core."""
    config = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(cluster.kubeconfig), client_configuration=config)
    with kubernetes.client.ApiClient(config) as api:
        events, core = kubernetes.client.EventsV1Api(api), kubernetes.client.CoreV1Api(api)
        body = {
            "metadata": {"name": "seen"},
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "type": "Normal",
            "note": "hi",
            "reportingController": "tests.io/me",
            "reportingInstance": "here",
            "action": "Look",
            "reason": "Seen",
            "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        }
        assert events.create_namespaced_event("default", body).note == "hi"
        [same] = core.list_namespaced_event("default", field_selector="involvedObject.name=p").items
        assert (same.message, same.reporting_component) == ("hi", "tests.io/me")


@pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported")  # newer than the library
async def test_kr8s(cluster):
    api = await kr8s.asyncio.api(kubeconfig=str(cluster.kubeconfig))
    deployment = await Kr8sDeployment(WEB, api=api)
    await deployment.create()
    await deployment.wait("condition=Available", timeout=20)
    pods = [pod async for pod in api.get("pods", label_selector={"app": "web"})]
    assert len(pods) == 2
    assert [line async for line in pods[0].logs()] == ["hello"]
    assert (await pods[0].exec(["date"])).stdout == b"today\n"
    assert await pods[0].ready()
    await deployment.scale(1)
    await deployment.delete()
    assert isinstance(pods[0], Kr8sPod)


async def test_kopf(cluster, monkeypatch):
    """An operator that keeps a ConfigMap beside every Deployment."""
    import kopf

    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**more):
        return kopf.login_with_kubeconfig(**more)

    @kopf.on.create("apps", "v1", "deployments", registry=registry)
    @kopf.on.update("apps", "v1", "deployments", field="spec.replicas", registry=registry)
    def beside(name, namespace, spec, **_):
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-info", "namespace": namespace}}
        cluster.apply({**config, "data": {"replicas": str(spec["replicas"])}})
        return {"replicas": spec["replicas"]}

    @kopf.on.delete("apps", "v1", "deployments", registry=registry)
    def away(name, namespace, **_):
        cluster.delete("configmap", f"{name}-info", namespace)

    logging.getLogger("kopf").setLevel(logging.ERROR)
    stop = asyncio.Event()
    operator = asyncio.create_task(
        kopf.operator(registry=registry, namespaces=["default"], standalone=True, stop_flag=stop)
    )
    wait = lambda *wish: asyncio.to_thread(cluster.wait, *wish)  # noqa: E731
    try:
        await asyncio.to_thread(cluster.apply, WEB)
        await wait("configmap/web-info", lambda obj: obj["data"] == {"replicas": "2"})
        await asyncio.to_thread(cluster.client.patch, "deployment/web", {"spec": {"replicas": 3}})
        await wait("configmap/web-info", lambda obj: obj["data"] == {"replicas": "3"})
        await wait("deployment/web", "Available")
        await asyncio.to_thread(cluster.delete, "deployment/web")
        await wait("configmap/web-info", "Deleted")
        await wait("deployment/web", "Deleted")
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(operator, 20)


async def test_kopf_with_a_kind_of_its_own(cluster, monkeypatch):
    """An operator as people write them: a custom kind, children it adopts, status, timers, a finalizer until it let go."""
    import kopf

    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    names = {"plural": "sites", "kind": "Site", "shortNames": ["si"]}
    open_schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": open_schema, "status": open_schema}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names}
    cluster.apply({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "sites.example.com"},
        "spec": {**spec, "versions": [{**version, "schema": {"openAPIV3Schema": schema}}]},
    })  # fmt: skip
    registry = kopf.OperatorRegistry()
    released: list[str] = []

    @kopf.on.login(registry=registry)
    def login(**more):
        return kopf.login_with_kubeconfig(**more)

    @kopf.on.create("example.com", "v1", "sites", registry=registry)
    @kopf.on.update("example.com", "v1", "sites", field="spec.text", registry=registry)
    def page(name, namespace, spec, patch, **_):
        child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-page", "namespace": namespace}}
        kopf.adopt(child := {**child, "data": {"text": spec["text"]}})
        cluster.apply(child)
        patch.status["text"] = spec["text"]

    @kopf.on.delete("example.com", "v1", "sites", registry=registry)
    def release(name, **_):
        released.append(name)

    logging.getLogger("kopf").setLevel(logging.ERROR)
    stop = asyncio.Event()
    operator = asyncio.create_task(
        kopf.operator(registry=registry, namespaces=["default"], standalone=True, stop_flag=stop)
    )
    maps, client = lambda: cluster.get("configmap", "one-page"), kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(cluster.kubeconfig), client_configuration=client)

    def sites(verb, **more):
        with kubernetes.client.ApiClient(client) as api:
            custom = kubernetes.client.CustomObjectsApi(api)
            place = {"group": "example.com", "version": "v1", "namespace": "default", "plural": "sites"}
            return getattr(custom, f"{verb}_namespaced_custom_object")(**place, **more)

    async def until(wish) -> None:
        for _ in range(200):
            with contextlib.suppress(StatusError, KeyError):  # not there yet, or without its status
                if await asyncio.to_thread(wish):
                    return
            await asyncio.sleep(0.1)
        raise AssertionError("not seen")

    try:
        body = {"apiVersion": "example.com/v1", "kind": "Site", "metadata": {"name": "one"}, "spec": {"text": "a"}}
        await asyncio.to_thread(sites, "create", body=body)
        await until(lambda: maps()["data"] == {"text": "a"})
        await until(lambda: sites("get", name="one")["status"]["text"] == "a")
        assert maps()["metadata"]["ownerReferences"][0]["kind"] == "Site"
        await asyncio.to_thread(sites, "patch", name="one", body={"spec": {"text": "b"}})
        await until(lambda: maps()["data"] == {"text": "b"})
        await asyncio.to_thread(sites, "delete", name="one")
        await until(lambda: released == ["one"])
        await asyncio.to_thread(cluster.wait, "configmap/one-page", "Deleted")
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(operator, 20)
