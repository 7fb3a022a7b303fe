"""An API server in process and a small way to talk to it."""

import asyncio
import dataclasses
from typing import Any

import orjson

from steersman.aio import clock as clocks
from steersman.apiserver import server, users
from steersman.apiserver.protobuf import messages as protobuf
from steersman.apiserver.protobuf import objects
from steersman.meta.objects import Object
from steersman.serving.messages import Peer, Request, Response
from steersman.store.memory import MemoryStore

ADMIN = Peer("127.0.0.1", "admin", ("system:masters",))
BOB = Peer("127.0.0.1", "bob", ("devs",))
NOBODY = Peer("127.0.0.1")

MERGE = {"content-type": "application/merge-patch+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}
TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
PARTIAL_LIST = {"accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
PARTIAL = {"accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
YAML = {"accept": "application/yaml"}

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/api/v1/namespaces/default/services"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes
    response: Response

    @property
    def body(self) -> Object:
        if self.headers.get("content-type") == protobuf.MEDIA_TYPE:
            return objects.decode(self.raw)
        found: Object = orjson.loads(self.raw)
        return found

    @property
    def refusal(self) -> tuple[int, str, str]:
        return self.status, self.body["reason"], self.body["message"]


class Api:
    def __init__(self, **options: Any) -> None:
        self.store: MemoryStore = options.pop("store", None) or MemoryStore()
        connectors = {name: options.pop(name) for name in ("kubelets", "pod_connector", "audit") if name in options}
        clock = options.pop("clock", None) or clocks.SystemClock()
        options.setdefault("token_key_pem", token_key())
        options.setdefault("static_tokens", {"letmein": users.authenticated("alice", ("ops",))})
        self.server = server.ApiServer(self.store, clock=clock, options=server.Options(**options), **connectors)

    async def __aenter__(self) -> "Api":
        await self.server.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.server.close()
        await self.store.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: str = "",
        headers: dict[str, str] | None = None,
        peer: Peer = ADMIN,
    ) -> Answer:
        raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        path, _, in_path = path.partition("?")
        response = await self.server.handle(Request(method, path, query or in_path, headers or {}, raw, peer))
        return Answer(response.status, response.headers, response.body, response)

    async def make(self, path: str, body: Any, status: int = 201) -> Object:
        answer = await self.ask("POST", path, body)
        assert answer.status == status, answer.raw
        return answer.body


async def rules_followed() -> None:
    """The authorizer hears of a write in the next turn of the loop."""
    for _ in range(3):
        await asyncio.sleep(0)


def token_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.derive_private_key(0x5EED, ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> Object:
    meta: Object = {"name": name}
    if labels:
        meta["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def pod(name: str, **spec: Any) -> Object:
    containers = [{"name": "main", "image": "localhost/hello:1"}]
    return {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def deployment(name: str, replicas: int = 2) -> Object:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "localhost/hello:1"}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


async def with_account(api: Api, namespace: str = "default") -> None:
    """The default ServiceAccount, as the controller would make it."""
    await api.make(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
