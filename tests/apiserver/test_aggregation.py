"""APIServices: an extension server over TLS that believes only the front proxy, behind a Service."""

import asyncio
import base64
import contextlib
import datetime
import pathlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import keys, negotiation
from steersman.apiserver.aggregation import identity
from steersman.apiserver.call import Call
from steersman.cluster import pki
from steersman.meta.objects import Object
from steersman.serving import listeners, tls
from steersman.serving.messages import MemoryDuplex, Response, Upgrade
from steersman.store import contract
from tests.apiserver import kit
from tests.apiserver.extensions import definitions

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1alpha1.wardle.example.com"
GROUP = "/apis/wardle.example.com/v1alpha1"
FLUNDERS = f"{GROUP}/namespaces/default/flunders"
V2 = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}

RESOURCES = [
    {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "verbs": ["get", "list"]},
    {"name": "flunders/status", "singularName": "", "namespaced": True, "kind": "Flunder", "verbs": ["get"]},
]
OPENAPI = {
    "swagger": "2.0",
    "paths": {
        f"{GROUP}/flunders": {"get": {"responses": {"200": {"schema": {"$ref": "#/definitions/wardle.Flunder"}}}}},
        "/healthz": {"get": {}},
    },
    "definitions": {
        "wardle.Flunder": {"properties": {"spec": {"$ref": "#/definitions/io.k8s.api.core.v1.Pod"}}},
        "io.k8s.api.core.v1.Pod": {"description": "another pod"},
        "unused": {},
    },
}


class Server:
    """`aggregated`: speaks the newer discovery. Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, list[str]], bytes]] = []
        self.aggregated = False
        self.status = 200
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        peer = request.transport.get_extra_info("peercert") if request.transport else None
        common = [value for part in (peer or {}).get("subject", ()) for name, value in part if name == "commonName"]
        if common != ["front-proxy-client"]:
            return web.Response(status=401)
        headers: dict[str, list[str]] = {}
        for name, value in request.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        self.asked.append((request.method, request.path_qs, headers, await request.read()))
        if self.status != 200:
            return web.Response(status=self.status)
        if request.headers.get("upgrade") == "echo":
            return await self._echo(request)
        return self._document(request) or web.json_response({"kind": "FlunderList", "items": []}, status=201)

    def _document(self, request: web.Request) -> web.Response | None:
        match request.path:
            case "/apis" if self.aggregated:
                version = {
                    "version": "v1alpha1",
                    "resources": [
                        {
                            "resource": "flunders",
                            "responseKind": {"group": "", "version": "", "kind": "Flunder"},
                            "scope": "Namespaced",
                            "singularResource": "flunder",
                            "verbs": ["list"],
                        }
                    ],
                }
                body = {"items": [{"metadata": {"name": "wardle.example.com"}, "versions": [version]}]}
                return web.Response(body=orjson.dumps(body), headers={"content-type": V2["accept"]})
            case "/apis":
                return web.json_response({"kind": "APIGroupList", "groups": []})
            case path if path == GROUP:
                listed = {"kind": "APIResourceList", "groupVersion": "wardle.example.com/v1alpha1"}
                return web.json_response(listed | {"resources": RESOURCES})
            case "/openapi/v2":
                return web.json_response(OPENAPI)
            case "/openapi/v3":
                return web.json_response({"paths": {GROUP[1:]: {"serverRelativeURL": "/openapi/v3/it?hash=1"}}})
            case "/openapi/v3/it":
                return web.json_response({"openapi": "3.0.0", "paths": {"x": {}}})
        return None

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        transport.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\nhello")
        transport.close()
        return web.Response()


class Extended:
    """The API server, the extension server, and the certificates of both."""

    def __init__(self, api: kit.Api, server: Server, authority: bytes) -> None:
        self.api = api
        self.server = server
        self.authority = base64.b64encode(authority).decode()

    def api_service(self, **spec: Any) -> Object:
        service = {"namespace": "default", "name": "sample-api", "port": 7443}
        fixed = {"group": "wardle.example.com", "version": "v1alpha1", "service": service, "caBundle": self.authority}
        priorities = {"groupPriorityMinimum": 2000, "versionPriority": 200}
        return {"metadata": {"name": NAME}, "spec": fixed | priorities | spec}

    async def service(self) -> None:
        await self.api.make(kit.SERVICES, {"metadata": {"name": "sample-api"}, "spec": {"ports": [{"port": 7443}]}})

    async def endpoints(self, *, ready: bool = True) -> None:
        """Past validation, which refuses loopback addresses."""
        kind = kinds.ENDPOINT_SLICE
        labels = {"kubernetes.io/service-name": "sample-api"}
        obj = {
            "metadata": {"name": "sample-api-1", "namespace": "default", "labels": labels},
            "ports": [{"name": "", "port": self.server.port}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
        }
        key = keys.key(kind, "default", "sample-api-1")
        entry = await self.api.store.get(key)
        expected = entry.revision if entry else 0
        await self.api.store.txn([contract.Put(key, keys.head(kind), keys.tail(obj), expected)])

    async def condition(self, status: str, reason: str) -> Object:
        """Waits for it."""
        async with asyncio.timeout(10):
            while True:
                found = (await self.api.ask("GET", f"{SERVICES}/{NAME}")).body
                for condition in (found.get("status") or {}).get("conditions", []):
                    if condition["type"] == "Available" and (condition["status"], condition["reason"]) == (
                        status,
                        reason,
                    ):
                        return dict(condition)
                await asyncio.sleep(0.01)

    async def registered(self) -> None:
        await self.service()
        await self.endpoints()
        await self.api.make(SERVICES, self.api_service())
        await self.condition("True", "Passed")
        self.server.asked.clear()


@pytest.fixture
async def extended(tmp_path: pathlib.Path) -> AsyncIterator[Extended]:
    now = clocks.SystemClock().now().astimezone(datetime.UTC)
    authority, front = pki.Authority(tmp_path, now), pki.front_proxy_authority(tmp_path, now)
    pair = front.client(pki.FRONT_PROXY)
    shown = identity.FrontProxy(
        pair.certificate.read_bytes(),
        pair.key.read_bytes(),
        front.pair.certificate.read_bytes(),
        authority.pair.certificate.read_bytes(),
    )
    server = Server()
    serving = authority.server("sample", "sample", ["sample-api.default.svc"])
    async with contextlib.AsyncExitStack() as stack:
        server.port = await stack.enter_async_context(
            _serving(server, tls.server_context(serving.certificate, serving.key, front.pair.certificate))
        )
        api = await stack.enter_async_context(kit.Api(front_proxy=shown))
        yield Extended(api, server, authority.pair.certificate.read_bytes())


@contextlib.asynccontextmanager
async def _serving(server: Server, context: ssl.SSLContext) -> AsyncIterator[int]:
    listener = listeners.tcp("127.0.0.1", 0)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=context).start()
    try:
        yield listener.getsockname()[1]
    finally:
        await runner.cleanup()


# --- local ones ---


async def test_every_group_and_version_has_an_api_service(api: kit.Api):
    table = (await api.ask("GET", SERVICES, headers=kit.TABLE)).body
    rows = {row["cells"][0]: row["cells"][1:3] for row in table["rows"]}
    assert rows["v1."] == rows["v1.apps"] == rows["v1.authorization.k8s.io"] == ["Local", "True"]
    assert not any(name.endswith("apiregistration.k8s.io") for name in rows)
    apps = (await api.ask("GET", f"{SERVICES}/v1.apps")).body
    assert apps["spec"] == {"group": "apps", "version": "v1", "groupPriorityMinimum": 17800, "versionPriority": 15}
    assert apps["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
    (condition,) = apps["status"]["conditions"]
    assert condition.pop("lastTransitionTime")
    message = "Local APIServices are always available"
    assert condition == {"type": "Available", "status": "True", "reason": "Local", "message": message}


async def until(api: kit.Api, path: str, status: int) -> kit.Answer:
    async with asyncio.timeout(10):
        answer = await api.ask("GET", path)
        while answer.status != status:
            await asyncio.sleep(0.01)
            answer = await api.ask("GET", path)
        return answer


async def test_those_of_custom_kinds_come_and_go(api: kit.Api):
    await api.make(definitions.DEFINITIONS, definitions.definition(definitions.version()))
    path = f"{SERVICES}/v1.stable.example.com"
    found = await until(api, path, 200)
    assert found.body["spec"]["groupPriorityMinimum"] == 1000
    await api.ask("DELETE", path)
    again = await until(api, path, 200)
    assert again.body["metadata"]["uid"] != found.body["metadata"]["uid"]
    await api.ask("DELETE", f"{definitions.DEFINITIONS}/{definitions.NAME}")
    await until(api, path, 404)


async def test_groups_are_listed_by_their_priority(api: kit.Api):
    groups = [group["name"] for group in (await api.ask("GET", "/apis")).body["groups"]]
    assert groups[:3] == ["apiregistration.k8s.io", "apps", "events.k8s.io"]
    wanted = ["authentication.k8s.io", "batch", "networking.k8s.io", "apiextensions.k8s.io", "discovery.k8s.io"]
    assert [group for group in groups if group in wanted] == wanted


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"version": "v2"},
            'metadata.name: Invalid value: "v1alpha1.wardle.example.com": must be `spec.version+"."+spec.group`',
        ),
        (
            {"groupPriorityMinimum": 20001},
            "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
        ),
        ({"versionPriority": 0}, "spec.versionPriority: Invalid value: 0: must be positive and less than 1000"),
        ({"service": {"name": "x"}}, "spec.service.namespace: Required value"),
        (
            {"insecureSkipTLSVerify": True},
            "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
        ),
        ({"service": None}, "local APIServices may not have a caBundle"),
    ],
)
async def test_refused(extended: Extended, spec, expected):
    answer = await extended.api.ask("POST", SERVICES, extended.api_service(**spec))
    assert answer.status == 422
    assert expected in answer.body["message"]


# --- availability ---


@pytest.mark.slow
async def test_what_is_missing_is_told(extended: Extended):
    api = extended.api
    await api.make(SERVICES, extended.api_service())
    found = await extended.condition("False", "ServiceNotFound")
    assert found["message"] == 'service/sample-api in "default" is not present'
    answer = await api.ask("GET", FLUNDERS)
    assert (answer.status, answer.raw) == (503, b"service unavailable\n")
    await extended.service()
    await extended.condition("False", "EndpointsNotFound")
    await extended.endpoints(ready=False)
    await extended.condition("False", "MissingEndpoints")
    extended.server.status = 403
    await extended.endpoints()
    failed = await extended.condition("False", "FailedDiscoveryCheck")
    assert failed["message"].endswith("/apis/wardle.example.com/v1alpha1: 403")
    extended.server.status = 200
    assert (await extended.condition("True", "Passed"))["message"] == "all checks passed"
    assert (await api.ask("GET", FLUNDERS)).status == 201
    await extended.endpoints(ready=False)
    await extended.condition("False", "MissingEndpoints")
    assert (await api.ask("GET", FLUNDERS)).status == 503


async def test_a_status_of_others_stays(extended: Extended):
    await extended.registered()
    path = f"{SERVICES}/{NAME}/status"
    found = (await extended.api.ask("GET", path)).body
    found["status"]["conditions"].append({"type": "StatusUpdated", "status": "True", "reason": "E2E", "message": "x"})
    assert (await extended.api.ask("PUT", path, found)).status == 200
    await extended.endpoints(ready=False)
    await extended.condition("False", "MissingEndpoints")
    shown = (await extended.api.ask("GET", path)).body["status"]["conditions"]
    assert [one["type"] for one in shown] == ["Available", "StatusUpdated"]


# --- asking ---


async def test_a_request_goes_through_with_the_users_name(extended: Extended):
    await extended.registered()
    headers = {
        "impersonate-user": "jane",
        "impersonate-group": "system:masters",
        "impersonate-extra-scopes.example.com%2fview": "a",
        "x-remote-user": "root",
        "x-remote-extra-evil": "yes",
        "content-type": "application/json",
    }
    answer = await extended.api.ask("POST", f"{FLUNDERS}/x/sub/more?watch=1&a=b%20c", {"a": 1}, headers=headers)
    assert answer.status == 201
    ((method, path, sent, body),) = extended.server.asked
    assert (method, path, body) == ("POST", f"{FLUNDERS}/x/sub/more?watch=1&a=b%20c", b'{"a":1}')
    assert sent["x-remote-user"] == ["jane"]
    assert sorted(sent["x-remote-group"]) == ["system:authenticated", "system:masters"]
    extra = {name: value for name, value in sent.items() if name.startswith("x-remote-extra-")}
    assert extra == {"x-remote-extra-scopes.example.com%2Fview": ["a"]} or list(extra.values()) == [["a"]]
    assert not {"authorization", "impersonate-user", "impersonate-group"} & set(sent)


async def test_who_may_not_is_refused_here(extended: Extended):
    await extended.registered()
    assert (await extended.api.ask("GET", FLUNDERS, peer=kit.BOB)).status == 403
    assert extended.server.asked == []


async def carry(upgrade: Upgrade, duplex: MemoryDuplex) -> None:
    await upgrade(duplex)


async def test_an_upgrade_is_a_pipe(extended: Extended):
    await extended.registered()
    headers = {"connection": "Upgrade", "upgrade": "echo"}
    answer = await extended.api.ask("POST", f"{FLUNDERS}/x/attach", headers=headers)
    assert answer.status == 101
    assert answer.response.upgrade is not None
    ours, theirs = MemoryDuplex.pair()
    async with asyncio.TaskGroup() as group:
        group.create_task(carry(answer.response.upgrade, theirs))
        assert await ours.receive() == b"hello"


@pytest.mark.slow
async def test_a_certificate_that_nobody_vouches_for_is_no_answer_unless_that_does_not_matter(extended: Extended):
    await extended.service()
    await extended.endpoints()
    await extended.api.make(SERVICES, extended.api_service(caBundle=""))
    await extended.condition("False", "FailedDiscoveryCheck")
    changed = {"spec": {"insecureSkipTLSVerify": True}}
    assert (await extended.api.ask("PATCH", f"{SERVICES}/{NAME}", changed, headers=kit.MERGE)).status == 200
    await extended.condition("True", "Passed")


async def test_whom_to_believe_is_published(extended: Extended):
    found = await extended.api.ask(
        "GET", "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    )
    data = found.body["data"]
    assert data["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert "BEGIN CERTIFICATE" in data["requestheader-client-ca-file"]
    assert data["client-ca-file"] != data["requestheader-client-ca-file"]


# --- documents ---


@pytest.mark.parametrize("aggregated", [False, True])
async def test_discovery_tells_of_it(extended: Extended, aggregated):
    extended.server.aggregated = aggregated
    await extended.registered()
    api = extended.api
    names = [group["name"] for group in (await api.ask("GET", "/apis")).body["groups"]]
    assert "wardle.example.com" in names
    assert names.index("wardle.example.com") > names.index("discovery.k8s.io")
    group = (await api.ask("GET", "/apis/wardle.example.com")).body
    assert group["preferredVersion"] == {"groupVersion": "wardle.example.com/v1alpha1", "version": "v1alpha1"}
    asked = (await api.ask("GET", GROUP)).response
    assert asked.stream is not None
    assert orjson.loads(b"".join([piece async for piece in asked.stream]))["resources"] == RESOURCES
    items = {item["metadata"]["name"]: item for item in (await api.ask("GET", "/apis", headers=V2)).body["items"]}
    (version,) = items["wardle.example.com"]["versions"]
    assert [one["resource"] for one in version["resources"]] == ["flunders"]
    assert version["freshness"] == "Current"
    await extended.endpoints(ready=False)
    await extended.condition("False", "MissingEndpoints")
    items = {item["metadata"]["name"]: item for item in (await api.ask("GET", "/apis", headers=V2)).body["items"]}
    assert items["wardle.example.com"]["versions"][0]["freshness"] == "Stale"
    assert (await api.ask("DELETE", f"{SERVICES}/{NAME}")).status == 200
    assert (await api.ask("GET", FLUNDERS)).status == 404
    assert (await api.ask("GET", "/apis/wardle.example.com")).status == 404


async def test_openapi_tells_of_it(extended: Extended):
    before = await extended.api.ask("GET", "/openapi/v2")
    await extended.registered()
    after = await extended.api.ask("GET", "/openapi/v2")
    assert before.headers["etag"] != after.headers["etag"]
    paths, found = after.body["paths"], after.body["definitions"]
    assert f"{GROUP}/flunders" in paths
    assert paths.get("/healthz") == before.body["paths"].get("/healthz")
    assert found["wardle.Flunder"]["properties"]["spec"] == {"$ref": "#/definitions/io.k8s.api.core.v1.Pod_v2"}
    assert found["io.k8s.api.core.v1.Pod"] == before.body["definitions"]["io.k8s.api.core.v1.Pod"]
    assert "unused" not in found
    index = (await extended.api.ask("GET", "/openapi/v3")).body["paths"]
    address = index[GROUP[1:]]["serverRelativeURL"].split("?")[0]
    assert (await extended.api.ask("GET", address)).body["paths"] == {"x": {}}


# --- in process ---


async def test_a_group_can_be_served_in_process():
    row = Kind("usage.example.com", "v1beta1", "NodeUsage", "nodes", "", namespaced=False, verbs=("get", "list"))

    async def answer(call: Call) -> Response:
        return negotiation.respond(call.form, {"kind": "NodeUsage", "verb": call.target.verb, "name": call.target.name})

    api = kit.Api()
    api.server.add_group([row], answer)
    async with api:
        found = await api.ask("GET", "/apis/usage.example.com/v1beta1/nodes/n")
        assert found.body == {"kind": "NodeUsage", "verb": "get", "name": "n"}
        assert (await api.ask("GET", "/apis/usage.example.com/v1beta1/nodes", peer=kit.BOB)).status == 403
        listed = (await api.ask("GET", "/apis/usage.example.com/v1beta1")).body["resources"]
        assert [one["name"] for one in listed] == ["nodes"]
        local = (await api.ask("GET", f"{SERVICES}/v1beta1.usage.example.com")).body
        assert local["status"]["conditions"][0]["reason"] == "Local"
        assert (await api.ask("GET", "/openapi/v3/apis/usage.example.com/v1beta1")).status == 200
