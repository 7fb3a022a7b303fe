"""One group and version that an extension server serves: whether it can be asked, what it says it has, and asking it.

Keeps true: the condition Available is what was found a moment ago: at once when the endpoints of the Service change, else
every second while it is not available and every half minute while it is.
Reads: the Service and its EndpointSlices.  Writes: the status of its APIService.
"""

import contextlib
import dataclasses
import logging

import orjson

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import decoded, keys, users
from steersman.apiserver.aggregation import availability, identity, remote_documents
from steersman.apiserver.subresources import kubelet
from steersman.apiserver.webhook_client import Failed, WebhookClient, bundle
from steersman.client import transport
from steersman.meta import objects, times
from steersman.meta.objects import Object
from steersman.serving import messages
from steersman.store import contract

log = logging.getLogger(__name__)

ATTEMPTS = 5  # upstream's, before an extension server counts as failed
ASK_SECONDS = 5.0
AGAIN_SECONDS, SOON_SECONDS = 30.0, 1.0  # while it is available, while it is not
_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
_KIND = kinds.API_SERVICE
_SERVICE_NAME = "kubernetes.io/service-name"


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    store: contract.Store
    clock: Clock
    objects: decoded.DecodedObjects
    client: WebhookClient
    front: identity.FrontProxy | None


@dataclasses.dataclass(frozen=True, slots=True)
class Documents:
    """What it says of itself. `rows` is None while it has never been heard; `openapi_v2` is JSON as it came."""

    rows: tuple[Kind, ...] | None = None
    openapi_v2: bytes = b""
    openapi_v3: bytes = b""


class Extension:
    def __init__(self, api_service: Object, parts: Parts) -> None:
        spec = api_service["spec"]
        self.spec: Object = spec
        self.name = objects.name(api_service)
        self.group, self.version = str(spec.get("group") or ""), str(spec["version"])
        self.path = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        self.documents = Documents()
        self._parts = parts
        self._api_service = api_service
        self.is_available = False

    # Asking it

    async def answer(self, request: messages.Request, user: users.User) -> messages.Response:
        """The request passed on under the user's name; an upgrade becomes a pipe."""
        if not self.is_available:
            return _unavailable("service unavailable")
        given = identity.without_identity(kubelet.passed_on(request.headers, keep=("connection", "upgrade")))
        headers = {**given, "x-forwarded-for": request.peer.address or "127.0.0.1", **identity.headers(user)}
        if "upgrade" not in request.headers:
            headers.pop("connection", None)
        sent = messages.Request(request.method, request.path, request.query, headers, request.body)
        try:
            way = await self._way()
            return await kubelet.pass_on(sent, way)
        except Failed as why:
            log.warning("%s cannot be reached: %s", self.name, why)
            return _unavailable("service unavailable")
        except transport.Unreachable as why:
            return _unavailable(f"error trying to reach service: {why}")

    async def _way(self) -> transport.Transport:
        """Raises Failed."""
        service, front = self.spec["service"], self._parts.front
        endpoint = await self._parts.client.service(service["namespace"], service["name"], service.get("port") or 443)
        shown = (front.certificate, front.key) if front is not None else (b"", b"")
        insecure = bool(self.spec.get("insecureSkipTLSVerify"))
        return self._parts.client.transport(endpoint, bundle(self.spec), insecure=insecure, identity=shown)

    # Looking after it

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            revision = self._parts.store.revision
            await self.look()
            await self._wait(revision)

    async def look(self) -> None:
        """See whether it can be asked, say so, and learn what it has."""
        shown = await self._condition()
        self.is_available = shown["status"] == "True"
        if self.is_available:
            try:
                self.documents = await self._read_documents()
            except (Failed, transport.Unreachable, orjson.JSONDecodeError, TimeoutError) as why:
                log.warning("what %s serves cannot be read: %s", self.name, why)
        await self._show(shown)

    async def _wait(self, revision: int) -> None:
        """For a change of the Service's endpoints, or some time."""
        space = self.spec["service"]["namespace"]
        prefix = keys.prefix(kinds.ENDPOINT_SLICE, space)
        with contextlib.suppress(TimeoutError, contract.Compacted, contract.Overrun):
            async with self._parts.clock.timeout(AGAIN_SECONDS if self.is_available else SOON_SECONDS):
                with contextlib.closing(self._parts.store.watch(prefix, revision)) as watch:
                    async for batch in watch:
                        if any(self._is_of_service(orjson.loads(event.value)) for event in batch):
                            return

    def _is_of_service(self, found: Object) -> bool:
        return bool(objects.labels(found).get(_SERVICE_NAME) == self.spec["service"]["name"])

    async def _condition(self) -> Object:
        reference = self.spec["service"]
        service = await self._parts.objects.get(kinds.SERVICE, reference["namespace"], reference["name"])
        listed = await self._parts.objects.list(kinds.ENDPOINT_SLICE, reference["namespace"])
        seen = availability.Seen(self._api_service, service, [one for one in listed if self._is_of_service(one)])
        shown = availability.condition(seen)
        if shown is None:
            shown = availability.condition(dataclasses.replace(seen, answer=await self._failure()))
        assert shown is not None, "once it has been asked there is an answer"
        return shown

    async def _failure(self) -> str:
        """What is wrong with its answers; "" when one of several attempts is good."""
        why = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._parts.clock.sleep(SOON_SECONDS / ATTEMPTS)
            try:
                status = (await self._get(self.path)).status
            except (Failed, transport.Unreachable, TimeoutError) as failed:
                why = f"failing or missing response from {self._url()}: {failed or 'context deadline exceeded'}"
                continue
            if 200 <= status < 400:
                return ""
            why = f"failing or missing response from {self._url()}: bad status from {self._url()}: {status}"
        return why

    def _url(self) -> str:
        service = self.spec["service"]
        return f"https://{service['name']}.{service['namespace']}.svc:{service.get('port') or 443}{self.path}"

    async def _get(self, path: str, accept: str = "application/json") -> messages.Response:
        headers = {"accept": accept, **identity.headers(identity.SELF)}
        path, _, query = path.partition("?")
        async with self._parts.clock.timeout(ASK_SECONDS):
            return await (await self._way()).request(messages.Request("GET", path, query, headers))

    async def _read_documents(self) -> Documents:
        rows = await self._read_rows()
        v2 = await self._get("/openapi/v2")
        index = await self._get("/openapi/v3")
        v3 = b""
        if index.status == 200:
            listed = (orjson.loads(index.body).get("paths") or {}).get(self.path[1:]) or {}
            if listed.get("serverRelativeURL"):
                found = await self._get(str(listed["serverRelativeURL"]))
                v3 = found.body if found.status == 200 else b""
        documents = Documents(rows, v2.body if v2.status == 200 else b"", v3)
        return self.documents if documents == self.documents else documents

    async def _read_rows(self) -> tuple[Kind, ...]:
        answer = await self._get("/apis", _AGGREGATED)
        if answer.status == 200 and "as=APIGroupDiscoveryList" in answer.headers.get("content-type", ""):
            rows = remote_documents.from_aggregated(orjson.loads(answer.body), self.group, self.version)
            if rows is not None:
                return tuple(rows)
        listed = await self._get(self.path)
        return tuple(remote_documents.from_list(orjson.loads(listed.body), self.group, self.version))

    async def _show(self, shown: Object) -> None:
        """Write the condition where it is another one."""
        key = keys.key(_KIND, "", self.name)
        while (entry := await self._parts.store.get(key)) is not None:
            now = self._parts.clock.now()
            changed = availability.with_condition(orjson.loads(entry.value), shown, now)
            if changed is None:
                return
            cause = contract.Cause("system:apiserver", "availability", 0, times.format_micros(now))
            try:
                put = contract.Put(key, keys.head(_KIND), keys.tail(changed), entry.revision)
                await self._parts.store.txn([put], cause)
                return
            except contract.Mismatch:
                continue


def _unavailable(why: str) -> messages.Response:
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    return messages.Response(503, headers, f"{why}\n".encode())
