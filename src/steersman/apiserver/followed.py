"""All objects of one kind as they are in the store now: what the request path keeps in memory of webhooks, policies and levels.

Keeps true: what was written before `refresh` is seen after it; what another server wrote, as soon as the watch tells.
Reads: one kind.  Writes: nothing.
"""

import contextlib
import logging
from collections.abc import Callable
from typing import cast

import orjson

from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.meta.objects import Object
from steersman.store import contract

log = logging.getLogger(__name__)


class Followed:
    """`start` reads, `run` follows; `changed` is called after every change of `objects`, which are in order of their keys."""

    def __init__(self, store: contract.Store, kind: Kind, changed: Callable[[], None]) -> None:
        self.kind = kind
        self._store = store
        self._prefix = keys.prefix(kind)
        self._changed = changed
        self._objects: dict[str, Object] = {}
        self._revision = 0

    @property
    def objects(self) -> list[Object]:
        return [self._objects[key] for key in sorted(self._objects)]

    async def start(self) -> None:
        await self.refresh()

    async def refresh(self) -> None:
        """See everything that has been written so far."""
        page = await self._store.list(self._prefix)
        if page.revision < self._revision:
            return
        self._objects = {entry.key: cast(Object, orjson.loads(entry.value)) for entry in page.entries}
        self._revision = page.revision
        self._changed()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                with contextlib.closing(self._store.watch(self._prefix, self._revision)) as watch:
                    async for batch in watch:
                        self._follow(batch)
                return
            except (contract.Compacted, contract.Overrun) as gap:
                log.warning("%s are read again: %r", self.kind.plural, gap)
                self._revision = 0
                await self.refresh()

    def _follow(self, batch: list[contract.Event]) -> None:
        news = [event for event in batch if event.revision > self._revision]  # the rest a refresh has seen
        for event in news:
            if event.deleted:
                self._objects.pop(event.key, None)
            else:
                self._objects[event.key] = cast(Object, orjson.loads(event.value))
            self._revision = event.revision
        if news:
            self._changed()
