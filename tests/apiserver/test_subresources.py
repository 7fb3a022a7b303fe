"""scale, ephemeral containers, and the pipe to the kubelet."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.client import transport
from steersman.serving import messages
from steersman.serving.messages import MemoryDuplex, Request, Response
from tests.apiserver import kit
from tests.apiserver.kit import DEPLOYMENTS, JSON_PATCH, MERGE, PODS


async def test_scale(api: kit.Api):
    await api.make(DEPLOYMENTS, kit.deployment("d"))
    scale = (await api.ask("GET", f"{DEPLOYMENTS}/d/scale")).body
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale",
        {"replicas": 2},
        {"replicas": 0, "selector": "app=d"},
    )
    updated = await api.ask("PUT", f"{DEPLOYMENTS}/d/scale", {**scale, "spec": {"replicas": 0}})
    assert updated.body["spec"] == {}
    stale = await api.ask("PUT", f"{DEPLOYMENTS}/d/scale", {**scale, "spec": {"replicas": 5}})
    assert stale.refusal[:2] == (409, "Conflict")
    for headers, body in (
        (MERGE, {"spec": {"replicas": 4}}),
        (JSON_PATCH, [{"op": "replace", "path": "/spec/replicas", "value": 4}]),
    ):
        patched = await api.ask("PATCH", f"{DEPLOYMENTS}/d/scale", body, headers=headers)
        assert patched.body["spec"] == {"replicas": 4}
    stored = (await api.ask("GET", f"{DEPLOYMENTS}/d")).body
    assert (stored["spec"]["replicas"], stored["metadata"]["generation"]) == (4, 3)
    negative = await api.ask("PATCH", f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": -1}}, headers=MERGE)
    assert negative.refusal[:2] == (422, "Invalid")


@pytest.mark.parametrize("path", ["", "/scale", "/status"])
async def test_a_strategic_merge_does_not_look_at_what_the_patch_calls_the_object(api: kit.Api, path: str):
    await api.make(DEPLOYMENTS, kit.deployment("d"))
    body = {"apiVersion": "v9", "kind": "Other", "metadata": {"annotations": {"a": "b"}}}
    patched = await api.ask("PATCH", f"{DEPLOYMENTS}/d{path}", body, headers=kit.STRATEGIC)
    assert patched.status == 200
    assert patched.body["kind"] == ("Scale" if path == "/scale" else "Deployment")
    merged = await api.ask("PATCH", f"{DEPLOYMENTS}/d{path}", body, headers=MERGE)
    assert merged.status >= 400, "which reads the whole anew, as what it says it is"


class Kubelet:
    """What a node is asked, and canned answers."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def handle(self, request: Request) -> Response:
        self.asked.append(request)
        if request.path.startswith("/containerLogs/"):
            return Response(200, {"content-type": "text/plain"}, stream=self._lines())
        if "upgrade" in request.headers:
            return Response(101, {"upgrade": request.headers["upgrade"], "connection": "Upgrade"}, upgrade=self._echo)
        return Response(404, {"content-type": "text/plain"}, b"nothing here")

    async def _lines(self) -> AsyncIterator[bytes]:
        yield b"one\n"
        yield b"two\n"

    async def _echo(self, connection: messages.Duplex) -> None:
        while data := await connection.receive():
            await connection.send(data.upper())


class Cluster:
    """An API server with one node and one pod on it."""

    def __init__(self) -> None:
        self.kubelet = Kubelet()
        self.reached: list[tuple[str, str, int]] = []
        self.way = transport.InProcessTransport(self.kubelet.handle)
        self.api = kit.Api(kubelets=self.connect, pod_connector=self.connect)

    def connect(self, name: str, address: str, port: int) -> transport.Transport:
        self.reached.append((name, address, port))
        return self.way


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    found = Cluster()
    async with found.api as api:
        await kit.with_account(api)
        addresses = [{"type": "Hostname", "address": "n1"}, {"type": "InternalIP", "address": "172.30.1.2"}]
        status = {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": 10251}}}
        await api.make("/api/v1/nodes", {"metadata": {"name": "n1"}, "status": status})
        containers = [{"name": "main", "image": "i"}, {"name": "side", "image": "i"}]
        await api.make(PODS, kit.pod("two", containers=containers, nodeName="n1"))
        await api.make(PODS, kit.pod("one", nodeName="n1"))
        await api.make(PODS, kit.pod("homeless"))
        yield found
    await found.way.close()


async def test_logs_stream_through(cluster: Cluster):
    answer = await cluster.api.ask("GET", f"{PODS}/one/log", query="follow=true&tailLines=5&timestamps=true")
    assert answer.status == 200
    assert answer.response.stream is not None
    assert b"".join([piece async for piece in answer.response.stream]) == b"one\ntwo\n"
    asked = cluster.kubelet.asked[0]
    assert (asked.path, asked.query) == (
        "/containerLogs/default/one/main",
        "follow=true&tailLines=5&timestamps=true",
    )
    assert cluster.reached == [("n1", "172.30.1.2", 10251)]


REFUSED = {
    "which container": (
        "GET", "two/log", "",
        (400, "BadRequest", "a container name must be specified for pod two, choose one of: [main side]"),
    ),
    "no such container": ("GET", "two/log", "container=x", (400, "BadRequest", "container x is not valid for pod two")),
    "no such pod": ("GET", "ghost/log", "", (404, "NotFound", 'pods "ghost" not found')),
    "no node": (
        "POST", "homeless/exec", "command=sh&stdout=true",
        (400, "BadRequest", "pod homeless does not have a host assigned"),
    ),
    "no stream": (
        "POST", "one/exec", "command=sh", (400, "BadRequest", "you must specify at least 1 of stdin, stdout, stderr"),
    ),
    "no command": (
        "POST", "one/exec", "stdout=1", (400, "BadRequest", "you must specify at least one command for the container"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "query", "expect"), REFUSED.values(), ids=REFUSED.keys())
async def test_refused(cluster: Cluster, method, path, query, expect):
    answer = await cluster.api.ask(method, f"{PODS}/{path}", query=query)
    assert answer.refusal == expect


async def test_wrong_log_options(cluster: Cluster):
    answer = await cluster.api.ask("GET", f"{PODS}/one/log", query="tailLines=-1&sinceSeconds=0")
    assert answer.refusal[:2] == (422, "Invalid")
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == ["tailLines", "sinceSeconds"]


async def test_a_pod_without_a_node_has_no_logs(cluster: Cluster):
    answer = await cluster.api.ask("GET", f"{PODS}/homeless/log")
    assert (answer.status, answer.raw) == (200, b"")


async def test_the_default_container_by_annotation(cluster: Cluster):
    note = {"metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "side"}}}
    await cluster.api.ask("PATCH", f"{PODS}/two", note, headers=MERGE)
    answer = await cluster.api.ask("GET", f"{PODS}/two/log")
    assert answer.status == 200
    assert cluster.kubelet.asked[0].path == "/containerLogs/default/two/side"


TUNNELS: dict[str, tuple[str, str, str, str, str]] = {
    "exec": (
        "one/exec", "command=echo&command=a+b&stdin=true&stdout=true&tty=true", "POST",
        "/exec/default/one/main", "input=1&output=1&tty=1&command=echo&command=a+b",
    ),
    "attach": ("one/attach", "stdout=1&stderr=1", "GET", "/attach/default/one/main", "output=1&error=1"),
    "portforward": ("one/portforward", "ports=80&ports=443", "GET", "/portForward/default/one", "port=80&port=443"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "query", "method", "onward", "asked"), TUNNELS.values(), ids=TUNNELS.keys())
async def test_tunnels(cluster: Cluster, path: str, query: str, method: str, onward: str, asked: str):
    headers = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": "v4", "authorization": ""}
    headers.pop("authorization")
    answer = await cluster.api.ask(method, f"{PODS}/{path}", query=query, headers=headers)
    assert answer.status == 101
    assert answer.response.headers["upgrade"] == "SPDY/3.1"
    request = cluster.kubelet.asked[0]
    assert (request.method, request.path, request.query) == (method, onward, asked)
    assert request.headers["x-stream-protocol-version"] == "v4"
    assert answer.response.upgrade is not None
    ours, theirs = MemoryDuplex.pair()
    pipe = asyncio.ensure_future(_run(answer.response.upgrade, theirs))
    await ours.send(b"hello")
    assert await ours.receive() == b"HELLO"
    await ours.close()
    await asyncio.wait_for(pipe, 2)


async def _run(upgrade: Any, connection: messages.Duplex) -> None:
    await upgrade(connection)


async def test_a_node_that_is_gone(cluster: Cluster):
    await cluster.api.ask("DELETE", "/api/v1/nodes/n1")
    assert (await cluster.api.ask("GET", f"{PODS}/one/log")).refusal == (404, "NotFound", 'nodes "n1" not found')


async def test_a_kubelet_that_does_not_answer(cluster: Cluster):
    async def dead(request: Request) -> Response:
        raise transport.Unreachable("dial tcp 172.30.1.2:10251: connection refused")

    cluster.way = transport.InProcessTransport(dead)
    refusal = (500, "InternalError", "error dialing backend: dial tcp 172.30.1.2:10251: connection refused")
    assert (await cluster.api.ask("GET", f"{PODS}/one/log")).refusal == refusal


async def test_a_kubelet_that_cannot_be_found(cluster: Cluster):
    def nowhere(name: str, address: str, port: int) -> transport.Transport:
        raise transport.Unreachable(f"no kubelet runs for node {name}")

    async with kit.Api(store=cluster.api.store, kubelets=nowhere) as api:
        refusal = (500, "InternalError", "error dialing backend: no kubelet runs for node n1")
        assert (await api.ask("GET", f"{PODS}/one/log")).refusal == refusal


async def test_proxy_to_a_service_takes_a_ready_endpoint(cluster: Cluster):
    api = cluster.api
    await api.make(kit.SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "web", "port": 80}]}})
    found = {
        "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": ["10.244.0.2"], "conditions": {"ready": False}},
            {"addresses": ["10.244.0.3"], "conditions": {"ready": True}},
        ],
    }
    await api.make("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", found)
    for name in ("s", "s:80", "s:web", "http:s:web"):
        answer = await api.ask("GET", f"{kit.SERVICES}/{name}/proxy/a/b", query="x=1")
        assert (answer.status, answer.raw) == (404, b"nothing here")
        assert (cluster.reached[-1], cluster.kubelet.asked[-1].path) == (("http", "10.244.0.3", 8080), "/a/b")
    nobody = await api.ask("GET", f"{kit.SERVICES}/s:other/proxy/")
    assert nobody.refusal == (503, "ServiceUnavailable", 'no endpoints available for service "s:other"')


async def test_ephemeral_containers_are_added_and_never_removed(cluster: Cluster):
    debug = {"name": "debug", "image": "i"}
    added = await cluster.api.ask(
        "PATCH", f"{PODS}/one/ephemeralcontainers", {"spec": {"ephemeralContainers": [debug]}}, headers=kit.STRATEGIC
    )
    assert added.status == 200, added.raw
    assert added.body["spec"]["ephemeralContainers"][0]["name"] == "debug"
    removed = await cluster.api.ask(
        "PATCH", f"{PODS}/one/ephemeralcontainers", {"spec": {"ephemeralContainers": None}}, headers=MERGE
    )
    assert removed.refusal[:2] == (422, "Invalid")


async def _with_address(cluster: Cluster) -> None:
    body = {"status": {"podIP": "10.244.0.1", "podIPs": [{"ip": "10.244.0.1"}]}}
    await cluster.api.ask("PATCH", f"{PODS}/one/status", body, headers=MERGE)


async def test_proxy_by_every_method_and_with_a_slash_for_a_browser(cluster: Cluster):
    await _with_address(cluster)
    for method in ("DELETE", "OPTIONS", "PATCH", "POST", "PUT"):
        assert (await cluster.api.ask(method, f"{PODS}/one:80/proxy", query=f"method={method}")).status == 404
        request = cluster.kubelet.asked[-1]
        assert (request.method, request.path, request.query) == (method, "/", f"method={method}")
    for method in ("GET", "HEAD"):
        moved = await cluster.api.ask(method, f"{PODS}/one/proxy", query="method=GET")
        assert (moved.status, moved.headers["location"]) == (301, f"{PODS}/one/proxy/?method=GET")
        assert (await cluster.api.ask(method, f"{PODS}/one/proxy/")).status == 404


async def test_proxy_of_a_websocket(cluster: Cluster):
    await _with_address(cluster)
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "x"}
    answer = await cluster.api.ask("GET", f"{PODS}/one:8080/proxy/ws", headers=headers)
    assert (answer.status, answer.response.headers["upgrade"]) == (101, "websocket")
    assert cluster.kubelet.asked[-1].headers["sec-websocket-key"] == "x"


async def test_proxy_to_nobody(cluster: Cluster):
    await _with_address(cluster)

    async def dead(request: Request) -> Response:
        raise transport.Unreachable("dial tcp 10.244.0.1:80: connection refused")

    cluster.way = transport.InProcessTransport(dead)
    refusal = (503, "ServiceUnavailable", "error trying to reach service: dial tcp 10.244.0.1:80: connection refused")
    assert (await cluster.api.ask("GET", f"{PODS}/one/proxy/")).refusal == refusal


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("InternalIP", "127.0.0.1"),
        ("InternalIP", "169.254.169.254"),
        ("InternalIP", "::ffff:127.0.0.1"),
        ("InternalIP", "127.0.0.1:6443/x?"),
        ("Hostname", "localhost"),
    ],
)
async def test_a_node_leads_nobody_to_the_machine_of_the_api_server(cluster: Cluster, kind: str, address: str):
    """There the API server would show its own certificate."""
    body = {"status": {"addresses": [{"type": kind, "address": address}]}}
    assert (await cluster.api.ask("PATCH", "/api/v1/nodes/n1/status", body, headers=MERGE)).status == 200
    for path in ("/api/v1/nodes/n1/proxy/pods", f"{PODS}/one/log"):
        assert (await cluster.api.ask("GET", path)).refusal == (400, "BadRequest", "address not allowed")
    assert cluster.reached == []


async def test_nor_does_a_pod(cluster: Cluster):
    body = {"status": {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}}
    await cluster.api.ask("PATCH", f"{PODS}/one/status", body, headers=MERGE)
    answer = await cluster.api.ask("GET", f"{PODS}/one:80/proxy/")
    assert answer.refusal == (400, "BadRequest", "address not allowed")
