"""In which versions the same object can be seen: rows that show the same stored objects, and the way from one to another."""

from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import orjson

from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.meta.objects import Object

ConvertCustom = Callable[[Object, Kind, Kind], Awaitable[Object]]


class Equivalents:
    """`kinds` are all rows that are served; `convert_custom` is the way between versions of a custom kind."""

    def __init__(self, kinds: Callable[[], list[Kind]], convert_custom: ConvertCustom) -> None:
        self._kinds = kinds
        self._convert_custom = convert_custom

    def others(self, kind: Kind) -> Sequence[Kind]:
        place = keys.prefix(kind)
        return [row for row in self._kinds() if row is not kind and keys.prefix(row) == place]

    async def convert(self, obj: Object, kind: Kind, wanted: Kind) -> Object:
        """Raises StatusError where a conversion webhook fails."""
        if kind.custom is not None:
            return await self._convert_custom(obj, kind, wanted)
        obj = cast(Object, orjson.loads(orjson.dumps(obj)))
        if kind.storage is not None:
            obj = kind.storage.to(obj)
        return wanted.storage.back(obj) if wanted.storage is not None else obj
