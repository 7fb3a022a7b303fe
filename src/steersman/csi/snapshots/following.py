"""The objects of a kind that may be defined, or not: none until it is."""

from collections.abc import Callable

from steersman.api.custom import kinds as custom_kinds
from steersman.api.kind import Kind
from steersman.client.cache import Cache, Caches, Handler
from steersman.meta import objects
from steersman.meta.objects import Object


class Followed:
    """As a Cache, as far as it is asked here."""

    def __init__(self, caches: Caches, definitions: Cache, kind: Kind) -> None:
        self._caches = caches
        self._definitions = definitions
        self._kind = kind
        self._cache: Cache | None = None
        self._handlers: list[Handler] = []

    def get(self, key: str) -> Object | None:
        return self._cache.get(key) if self._cache is not None else None

    def list(self) -> list[Object]:
        return self._cache.list() if self._cache is not None else []

    def subscribe(self, handler: Handler) -> Callable[[], None]:
        """Of all that come, once the kind is defined; again after it was gone."""
        self._handlers.append(handler)
        for obj in self.list():
            handler(None, obj)
        return lambda: self._handlers.remove(handler)

    def start(self) -> Callable[[], None]:
        """Returns what ends it."""
        return self._definitions.subscribe(self._defined)

    def _defined(self, old: Object | None, new: Object | None) -> None:
        if objects.name(new or old or {"metadata": {}}) != f"{self._kind.plural}.{self._kind.group}":
            return
        is_served = new is not None and any(row.version == self._kind.version for row in custom_kinds.of(new))
        if not is_served:
            self._cache = None
        elif self._cache is None:
            self._cache = self._caches.of(self._kind)
            self._cache.subscribe(self._changed)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        for handler in [*self._handlers]:
            handler(old, new)
