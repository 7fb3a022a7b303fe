"""What tests do with objects: the client with names as people write them (`deploy/web`), plain and async."""

import dataclasses
import urllib.parse
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api.custom import kinds as custom_kinds
from steersman.api.kind import Kind
from steersman.client import requests
from steersman.client.client import Client
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.serving.messages import Request
from steersman.testing import manifests, references, waiting
from steersman.testing.driver import Driver
from steersman.testing.manifests import Manifest
from steersman.testing.waiting import Wish

DEFAULT_NAMESPACE = "default"
WAIT_SECONDS = 30.0

Result = TypeVar("Result")
Found = list[Object]
Rows = list[Kind]


@dataclasses.dataclass(frozen=True, slots=True)
class AsyncObjects:
    """`what` is a kind by any of its names, custom ones included, or `KIND/NAME`. `raw` is the client below."""

    raw: Client
    clock: Clock

    async def get(self, what: str | Kind, name: str = "", namespace: str = DEFAULT_NAMESPACE) -> Object:
        """Raises StatusError (404)."""
        kind, name = await self._split(what, name)
        return await self.raw.get(kind, name, _space(kind, namespace))

    async def list(
        self, what: str | Kind, namespace: str = DEFAULT_NAMESPACE, *, labels: str = "", fields: str = ""
    ) -> Found:
        """Of one namespace; "" for all."""
        kind = await self._kind(what)
        space = _space(kind, namespace)
        return (await self.raw.list(kind, space, label_selector=labels, field_selector=fields)).items

    async def create(self, obj: Object, namespace: str = DEFAULT_NAMESPACE) -> Object:
        kind, space = await self._place(obj, namespace)
        return await self.raw.create(kind, obj, space)

    async def apply(self, manifest: Manifest, namespace: str = DEFAULT_NAMESPACE) -> Found:
        """Create what is missing, patch what is there (a merge: what the manifest leaves out stays)."""
        return [await self._apply(obj, namespace) for obj in manifests.read(manifest)]

    async def patch(
        self,
        what: str | Kind,
        patch: Mapping[str, Any],
        name: str = "",
        namespace: str = DEFAULT_NAMESPACE,
        *,
        subresource: str = "",
    ) -> Object:
        """A merge patch."""
        kind, name = await self._split(what, name)
        return await self.raw.patch(kind, name, _space(kind, namespace), patch, subresource=subresource)

    async def delete(
        self, what: str | Kind, name: str = "", namespace: str = DEFAULT_NAMESPACE, *, grace_seconds: int | None = None
    ) -> None:
        kind, name = await self._split(what, name)
        await self.raw.delete(kind, name, _space(kind, namespace), grace_seconds=grace_seconds)

    async def wait(
        self,
        what: str | Kind,
        wish: Wish,
        name: str = "",
        namespace: str = DEFAULT_NAMESPACE,
        *,
        timeout: float = WAIT_SECONDS,
    ) -> Object | None:
        """See `testing.waiting` for wishes. Raises NotSeen."""
        kind, name = await self._split(what, name)
        return await waiting.wait(self.raw, self.clock, kind, name, _space(kind, namespace), wish, timeout)

    async def logs(self, pod: str, namespace: str = DEFAULT_NAMESPACE, *, container: str = "") -> str:
        """What a container has written so far."""
        query = urllib.parse.urlencode({"container": container} if container else {})
        request = Request("GET", f"{kinds.POD.path}/namespaces/{namespace}/pods/{pod}/log", query)
        response = await self.raw.request(request)
        if response.status >= 400:
            raise requests.refusal(response.status, response.body, response.headers)
        return response.body.decode(errors="replace")

    async def _apply(self, obj: Object, namespace: str) -> Object:
        kind, space = await self._place(obj, namespace)
        try:
            return await self.raw.create(kind, obj, space)
        except StatusError as refused:
            if refused.reason != "AlreadyExists":
                raise
        form = "strategic" if kind.custom is None else "merge"  # custom kinds have no other
        return await self.raw.patch(kind, objects.name(obj), space, obj, type=form)

    async def _split(self, what: str | Kind, name: str) -> tuple[Kind, str]:
        kind, name = references.split(what, name)
        return await self._kind(kind), name

    async def _kind(self, name: str | Kind) -> Kind:
        try:
            return references.kind(name)
        except references.UnknownKind:
            return references.kind(name, await self._custom())

    async def _place(self, obj: Object, namespace: str) -> tuple[Kind, str]:
        try:
            kind = references.of_object(obj)
        except references.UnknownKind:
            kind = references.of_object(obj, await self._custom())
        return kind, _space(kind, objects.namespace(obj) or namespace)

    async def _custom(self) -> Rows:
        """The rows of all custom kinds; of several versions the stored one first."""
        defined = (await self.raw.list(kinds.CUSTOM_RESOURCE_DEFINITION)).items
        return [row for one in defined for row in (custom_kinds.storage(one), *custom_kinds.of(one))]


@dataclasses.dataclass(frozen=True, slots=True)
class Objects:
    """`AsyncObjects` for plain tests; see there."""

    _objects: AsyncObjects
    _driver: Driver

    def get(self, what: str | Kind, name: str = "", namespace: str = DEFAULT_NAMESPACE) -> Object:
        return self._run(self._objects.get(what, name, namespace))

    def list(
        self, what: str | Kind, namespace: str = DEFAULT_NAMESPACE, *, labels: str = "", fields: str = ""
    ) -> Found:
        return self._run(self._objects.list(what, namespace, labels=labels, fields=fields))

    def create(self, obj: Object, namespace: str = DEFAULT_NAMESPACE) -> Object:
        return self._run(self._objects.create(obj, namespace))

    def apply(self, manifest: Manifest, namespace: str = DEFAULT_NAMESPACE) -> Found:
        return self._run(self._objects.apply(manifest, namespace))

    def patch(
        self,
        what: str | Kind,
        patch: Mapping[str, Any],
        name: str = "",
        namespace: str = DEFAULT_NAMESPACE,
        *,
        subresource: str = "",
    ) -> Object:
        return self._run(self._objects.patch(what, patch, name, namespace, subresource=subresource))

    def delete(
        self, what: str | Kind, name: str = "", namespace: str = DEFAULT_NAMESPACE, *, grace_seconds: int | None = None
    ) -> None:
        self._run(self._objects.delete(what, name, namespace, grace_seconds=grace_seconds))

    def wait(
        self,
        what: str | Kind,
        wish: Wish,
        name: str = "",
        namespace: str = DEFAULT_NAMESPACE,
        *,
        timeout: float = WAIT_SECONDS,
    ) -> Object | None:
        return self._run(self._objects.wait(what, wish, name, namespace, timeout=timeout))

    def logs(self, pod: str, namespace: str = DEFAULT_NAMESPACE, *, container: str = "") -> str:
        return self._run(self._objects.logs(pod, namespace, container=container))

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._driver.run(work)


def _space(kind: Kind, namespace: str) -> str:
    return namespace if kind.namespaced else ""
