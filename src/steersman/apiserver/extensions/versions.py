"""Built-in kinds in several versions: one is stored, each of the others is a view of the store that converts both ways."""

from collections.abc import Sequence

from steersman.api.kind import Kind, Storage
from steersman.apiserver.extensions import conversion, handlers, view
from steersman.meta.objects import Object


class Versions:
    """Handlers of the rows that have a `storage`, made when they are first asked for."""

    def __init__(self, parts: handlers.Parts) -> None:
        self._parts = parts
        self._handlers: dict[str, handlers.Handlers] = {}

    def handlers(self, kind: Kind) -> handlers.Handlers:
        name = f"{kind.api_version} {kind.plural}"
        found = self._handlers.get(name)
        if found is None:
            assert kind.storage is not None, f"{name} is stored as it is"
            versions = view.Versions({}, kind.storage.kind, 0, _convert(kind, kind.storage))
            found = self._handlers[name] = handlers.of(self._parts, kind, versions)
        return found

    @property
    def watches(self) -> int:
        """How many are open now."""
        return sum(one.watcher.open for one in self._handlers.values())


def _convert(kind: Kind, storage: Storage) -> conversion.Convert:
    async def convert(objects: Sequence[Object], api_version: str) -> list[Object]:
        way = storage.back if api_version == kind.api_version else storage.to
        return [way(obj) for obj in objects]

    return convert
