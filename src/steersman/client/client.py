"""The API client that every part uses: typed by rows of the table of kinds, plain dicts in and out.

Raises `StatusError` when the server says no, `Unreachable` when there is no answer at all. It does not retry: whoever
decided knows whether the decision still holds.
"""

import copy
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import orjson

from steersman.aio.clock import Clock
from steersman.api.kind import Kind, Kinds
from steersman.api.kinds import BUILTIN
from steersman.client import lines, requests, transport
from steersman.client.requests import ObjectList, WatchEvent
from steersman.client.transport import Transport, Unreachable
from steersman.meta.objects import Object
from steersman.serving.messages import Duplex, Request, Response

__all__ = ["Client", "ObjectList", "Unreachable", "WatchEvent"]


class Client:
    """One identity at one API server."""

    def __init__(
        self,
        transport: Transport,
        kinds: Kinds = BUILTIN,
        user_agent: str = "steersman",
        *,
        clock: Clock,
        loads: requests.Loads = orjson.loads,
    ) -> None:
        """`loads`: `SharedParsing.loads` where many clients of a process are told the same."""
        self._loads = loads
        self.kinds = kinds
        self.clock = clock
        self._transport = transport
        self._headers = {"accept": "application/json", "user-agent": user_agent}

    @property
    def answers(self) -> Mapping[tuple[str, int], int]:
        """How often which (method, code) was; 0 is no answer. Nothing is counted in process."""
        return self._transport.answers if isinstance(self._transport, transport.HttpTransport) else {}

    def acting_as(self, user: str, group: str) -> "Client":
        """The same way there, as another user, where this one may impersonate it."""
        other = copy.copy(self)
        other._headers = {**self._headers, "impersonate-user": user, "impersonate-group": group}
        return other

    async def get(self, kind: Kind, name: str, namespace: str = "", *, resource_version: str = "") -> Object:
        return await self._object(requests.get(kind, name, namespace, resource_version))

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> ObjectList:
        """The whole list, or one page of at most `limit` objects."""
        request = requests.list_page(
            kind,
            namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            resource_version=resource_version,
            limit=limit,
            continue_token=continue_token,
        )
        return requests.parse_list(kind, await self.request(request))

    async def create(
        self, kind: Kind, obj: Object, namespace: str = "", *, because: int = 0, subresource: str = "", name: str = ""
    ) -> Object:
        """`namespace` overrides the object's own; `name` is the parent's when a subresource is created."""
        request = requests.create(kind, obj, namespace, because=because, subresource=subresource, name=name)
        return await self._object(request)

    async def update(self, kind: Kind, obj: Object, *, subresource: str = "", because: int = 0) -> Object:
        return await self._object(requests.update(kind, obj, because=because, subresource=subresource))

    async def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str,
        patch: Any,
        *,
        type: str = "merge",  # noqa: A002 -- the API's own word
        subresource: str = "",
        because: int = 0,
        field_manager: str = "",
        force: bool = False,
    ) -> Object:
        """`type` is merge, json (`patch` is a list of operations), strategic or apply (`field_manager` required)."""
        request = requests.patch(
            kind,
            name,
            namespace,
            patch,
            type=type,
            subresource=subresource,
            because=because,
            field_manager=field_manager,
            force=force,
        )
        return await self._object(request)

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        grace_seconds: int | None = None,
        propagation: str = "",
        because: int = 0,
    ) -> None:
        """`propagation` is Background, Foreground or Orphan; uid and resourceVersion are preconditions."""
        request = requests.delete(
            kind,
            name,
            namespace,
            uid=uid,
            resource_version=resource_version,
            grace_seconds=grace_seconds,
            propagation=propagation,
            because=because,
        )
        await self._object(request)

    async def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        bookmarks: bool = True,
        timeout_seconds: int = 0,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Events until the server ends the watch (it does so now and then): watch again from the last resourceVersion.

        Raises StatusError also for ERROR events, e.g. 410 when the resourceVersion is gone: list again. Close it
        (`contextlib.aclosing`) when leaving it early, so that the connection is freed at once.
        """
        request = requests.watch(
            kind,
            namespace,
            resource_version=resource_version,
            label_selector=label_selector,
            field_selector=field_selector,
            bookmarks=bookmarks,
            timeout_seconds=timeout_seconds,
        )
        async with transport.streaming(self._transport, self._with_headers(request)) as response:
            if response.status >= 400:
                raise requests.refusal(response.status, response.body, response.headers)
            assert response.stream is not None
            async for batch in lines.split(response.stream):
                for line in batch:
                    yield requests.parse_event(line, self._loads)

    async def request(self, request: Request) -> Response:
        """Anything else: the whole answer, whatever its status."""
        return await self._transport.request(self._with_headers(request))

    async def upgrade(self, request: Request) -> tuple[Response, Duplex | None]:
        """A request that asks for `101 Switching Protocols` (exec, attach, port-forward); None when refused."""
        return await self._transport.upgrade(self._with_headers(request))

    async def close(self) -> None:
        await self._transport.close()

    async def _object(self, request: Request) -> Object:
        return requests.parse_object(await self._transport.request(self._with_headers(request)), self._loads)

    def _with_headers(self, request: Request) -> Request:
        headers: Mapping[str, str] = {**self._headers, **request.headers} if request.headers else self._headers
        return Request(request.method, request.path, request.query, headers, request.body, request.peer)
