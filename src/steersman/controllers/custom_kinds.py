"""Tell the controllers that care for every kind which custom kinds come and go.

Reads: CustomResourceDefinitions.  Leaves to others: serving them (the API server).

A kind is told when its cache is filled, so that nobody takes objects for gone that have only not been read yet, and taken away
after its cache has said that all objects are gone, which they are before their definition.
"""

import asyncio

from steersman.aio import tasks
from steersman.api import kinds
from steersman.api.custom import kinds as custom_kinds
from steersman.api.kind import Kind
from steersman.client.cache import Caches
from steersman.controllers.loop import Loop
from steersman.meta import objects
from steersman.meta.objects import Object


class CustomKinds:
    def __init__(self, caches: Caches, loops: list[Loop]) -> None:
        self._caches = caches
        self._loops = loops
        self._definitions = caches.of(kinds.CUSTOM_RESOURCE_DEFINITION)
        self._followed: dict[str, Kind] = {}  # by name of the definition
        self._filling: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        running = tasks.Tasks("custom kinds")

        def changed(old: Object | None, new: Object | None) -> None:
            wanted = served(new) if new is not None else None
            name = objects.name(new or old or {"metadata": {}})
            known = self._followed.get(name)
            if known is not None and (wanted is None or _identity(wanted) != _identity(known)):
                self._remove(name, known)
                known = None
            if known is None and wanted is not None:
                self._followed[name] = wanted
                self._filling[name] = running.start(f"filling of {name}", self._add(name, wanted))

        end = self._definitions.subscribe(changed)
        try:
            running.start("until cancelled", _forever())
            await running.wait()
        finally:
            end()
            await running.close()

    async def _add(self, name: str, kind: Kind) -> None:
        await self._caches.of(kind).synced.wait()
        del self._filling[name]
        for loop in self._loops:
            loop.add(kind)

    def _remove(self, name: str, kind: Kind) -> None:
        del self._followed[name]
        filling = self._filling.pop(name, None)
        if filling is not None:
            filling.cancel(f"{name} is served no more")
        self._caches.drop(kind)
        if filling is None:
            for loop in self._loops:
                loop.remove(kind)


def served(definition: Object) -> Kind | None:
    """The row of a definition to follow its objects by: the version they are stored in, if that is served."""
    rows = custom_kinds.of(definition)
    stored = next((one["name"] for one in definition["spec"]["versions"] if one.get("storage")), "")
    return next((row for row in rows if row.version == stored), rows[0] if rows else None)


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


def _identity(kind: Kind) -> tuple[str, str, str, bool]:
    return kind.api_version, kind.plural, kind.kind, kind.namespaced
