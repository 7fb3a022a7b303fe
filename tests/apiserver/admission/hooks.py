"""A webhook server over TLS on loopback, made with aiohttp, that remembers what it was asked; and configurations that name it."""

import asyncio
import base64
import contextlib
import datetime
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from aiohttp import web

from steersman.aio import clock as clocks
from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.cluster import pki
from steersman.meta.objects import Object
from steersman.serving import listeners, tls
from steersman.store import contract
from tests.apiserver import kit

MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"

Answer = Callable[[Object], Object]


class Hooks:
    """`answers` maps a path to what is done with a request: (AdmissionRequest) → the response without its uid."""

    def __init__(self, url: str, authority: bytes) -> None:
        self.url = url
        self.authority = base64.b64encode(authority).decode()
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Object]] = []
        self.reviews: list[Object] = []
        self.was_asked = asyncio.Event()
        self.delay_seconds = 0.0
        self.raw: web.Response | None = None
        self.concurrent = self.concurrent_max = 0

    async def handle(self, request: web.Request) -> web.Response:
        review = orjson.loads(await request.read())
        self.asked.append((request.path, review["request"]))
        self.was_asked.set()
        self.reviews.append({**review, "query": request.query_string})
        self.concurrent += 1
        self.concurrent_max = max(self.concurrent_max, self.concurrent)
        try:
            await asyncio.sleep(self.delay_seconds)
        finally:
            self.concurrent -= 1
        if self.raw is not None:
            return self.raw
        response = {"uid": review["request"]["uid"], **self.answers[request.path](review["request"])}
        body = {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}
        return web.json_response(body)

    def webhook(self, path: str, *rules: Object, name: str = "", **more: Any) -> Object:
        return {
            "name": name or f"{path.strip('/').replace('/', '-')}.example.com",
            "rules": list(rules),
            "clientConfig": {"url": self.url + path, "caBundle": self.authority},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **more,
        }

    @property
    def requests(self) -> list[Object]:
        return [request for _, request in self.asked]


@contextlib.asynccontextmanager
async def running(directory: pathlib.Path) -> AsyncIterator[Hooks]:
    authority = pki.Authority(directory, clocks.SystemClock().now().astimezone(datetime.UTC))
    serving = authority.server("webhook", "webhook", ["127.0.0.1", "hook.default.svc"])
    listener = listeners.tcp("127.0.0.1", 0)
    hooks = Hooks(f"https://127.0.0.1:{listener.getsockname()[1]}", authority.pair.certificate.read_bytes())
    app = web.Application()
    app.router.add_post("/{path:.*}", hooks.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=tls.server_context(serving.certificate, serving.key)).start()
    try:
        yield hooks
    finally:
        await runner.cleanup()


def rule(
    resources: str = "configmaps", operations: str = "CREATE", groups: str = "", versions: str = "v1", **more: Any
) -> Object:
    texts = {"resources": resources, "operations": operations, "apiGroups": groups, "apiVersions": versions}
    return {name: text.split(",") for name, text in texts.items()} | more


def allow(request: Object) -> Object:
    return {"allowed": True}


def deny(message: str = "", **status: Any) -> Answer:
    result = status | ({"message": message} if message else {})

    def answer(request: Object) -> Object:
        return {"allowed": False, **({"status": result} if result else {})}

    return answer


def patch(*operations: Object) -> Answer:
    encoded = base64.b64encode(orjson.dumps(operations)).decode()
    return lambda request: {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


def add(path: str, value: Any) -> Object:
    return {"op": "add", "path": path, "value": value}


async def configure(api: kit.Api, where: str, name: str, *webhooks: Object) -> Object:
    return await api.make(where, {"metadata": {"name": name}, "webhooks": list(webhooks)})


def put_of(kind: Kind, obj: Object, revision: int = 0) -> contract.Put:
    """Straight into the store, past validation."""
    meta = obj["metadata"]
    return contract.Put(
        keys.key(kind, meta.get("namespace", ""), meta["name"]), keys.head(kind), keys.tail(obj), revision
    )
