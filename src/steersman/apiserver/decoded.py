"""Objects that the request path itself looks at again and again, parsed once per revision.

For namespaces and service accounts, read on every create, and for events that many selecting watchers look at. What comes
out is shared: never change it.
"""

import collections
from typing import cast

import orjson

from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.meta.objects import Object
from steersman.store.contract import Entry, Event, Store

OBJECTS_MAX = 2048  # some namespaces and accounts, and the events of the last moments; a parsed pod takes about 15 kB


class DecodedObjects:
    """Reads go to the store each time (memory speed), only the parsing is remembered."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: collections.OrderedDict[tuple[str, int], Object] = collections.OrderedDict()

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        entry = await self._store.get(keys.key(kind, namespace, name))
        return None if entry is None else self.of(entry)

    async def list(self, kind: Kind, namespace: str = "") -> "list[Object]":
        page = await self._store.list(keys.prefix(kind, namespace))
        return [self.of(entry) for entry in page.entries]

    def of(self, entry: Entry | Event) -> Object:
        at = (entry.key, entry.revision)
        obj = self._kept.get(at)
        if obj is None:
            obj = self._kept[at] = cast(Object, orjson.loads(entry.value))
            if len(self._kept) > OBJECTS_MAX:
                self._kept.popitem(last=False)
        return obj
