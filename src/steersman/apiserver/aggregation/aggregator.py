"""Which groups and versions somebody else serves, and everything this server must know of them.

Keeps true: a request for a group and version whose APIService names a Service goes there; discovery and OpenAPI tell of them as
they told last; for each group and version that is served here there is an APIService too.
Reads: APIServices.  Writes: those of its own (`registration`), the status of the others (`extension`).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from steersman.aio import tasks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import followed
from steersman.apiserver.aggregation import extension, priorities, registration, remote_documents
from steersman.apiserver.aggregation.extension import Extension
from steersman.apiserver.metrics import Gauge
from steersman.meta import objects
from steersman.meta.objects import Object

Place = tuple[str, str]  # group, version


class Aggregator:
    """`start` before serving. `custom` are the custom kinds served now; `custom_changed` says that they are others."""

    def __init__(self, parts: extension.Parts, running: tasks.Tasks, custom: Callable[[], Iterable[Kind]]) -> None:
        self._parts = parts
        self._tasks = running
        self._custom = custom
        self._extensions: dict[str, tuple[Extension, asyncio.Task[Any]]] = {}
        self._routes: dict[Place, Extension] = {}
        self._priorities: dict[Place, tuple[int, int]] = {}
        self._custom_news = asyncio.Event()
        self.api_services = followed.Followed(parts.store, kinds.API_SERVICE, self._changed)

    async def start(self) -> None:
        await self.api_services.start()
        self._custom_news.set()
        self._tasks.keep("API services", self.api_services.run, self._parts.clock)
        self._tasks.keep("API services of custom kinds", self._follow_custom, self._parts.clock)

    def remote(self, group: str, version: str) -> Extension | None:
        """Who serves it, where this server does not."""
        return self._routes.get((group, version)) if self._routes else None

    def custom_changed(self) -> None:
        self._custom_news.set()

    # What discovery and OpenAPI ask

    @property
    def state(self) -> tuple[Any, ...]:
        """Another one whenever documents have to be made again."""
        remotes = tuple((id(one.documents), one.is_available) for one in self._routes.values())
        return (*sorted(self._priorities.items()), *sorted(self._routes), remotes) if self._routes else ()

    @property
    def rows(self) -> list[Kind]:
        return [row for one in self._routes.values() for row in one.documents.rows or ()]

    @property
    def places(self) -> dict[Place, bool]:
        """The groups and versions of others, and whether what is known of them is up to date."""
        return {place: one.is_available for place, one in self._routes.items()}

    def priority(self, place: Place) -> tuple[int, int]:
        """Of a group, and of a version in it: higher comes first."""
        return self._priorities.get(place) or priorities.builtin(*place)

    def merged_v2(self, own: Object) -> Object:
        others = [
            (one.path, orjson.loads(one.documents.openapi_v2))
            for one in self._routes.values()
            if one.documents.openapi_v2
        ]
        return remote_documents.merged_openapi(own, others) if others else own

    @property
    def v3(self) -> dict[str, bytes]:
        """Path of the group and version → its document, of those that have one."""
        return {one.path[1:]: one.documents.openapi_v3 for one in self._routes.values() if one.documents.openapi_v3}

    def gauges(self) -> list[Gauge]:
        return [
            Gauge("aggregator_unavailable_apiservice", 0 if one.is_available else 1, f'name="{one.name}"')
            for one in self._routes.values()
        ]

    # Following

    def _changed(self) -> None:
        listed = self.api_services.objects
        remote = {objects.name(one): one for one in listed if one["spec"].get("service") is not None}
        self._priorities = {
            (one["spec"].get("group") or "", one["spec"]["version"]): (
                one["spec"]["groupPriorityMinimum"],
                one["spec"]["versionPriority"],
            )
            for one in listed
        }
        for name, (known, task) in list(self._extensions.items()):
            if name not in remote or remote[name]["spec"] != known.spec:
                task.cancel()
                del self._extensions[name]
        for name, one in remote.items():
            if name not in self._extensions:
                new = Extension(one, self._parts)
                self._extensions[name] = new, self._tasks.keep(f"API service {name}", new.run, self._parts.clock)
        self._routes = {(one.group, one.version): one for one, _ in self._extensions.values()}
        self._custom_news.set()  # one of ours may have been taken away

    async def _follow_custom(self) -> None:
        while True:
            await self._custom_news.wait()
            self._custom_news.clear()
            places = {(row.group, row.version) for row in self._custom()}
            await registration.follow(self._parts.store, self._parts.clock, self.api_services.objects, places)
