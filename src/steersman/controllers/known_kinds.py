"""The kinds that references of objects may name: those of the release, and custom ones while they are served."""

from steersman.api.kind import Kind, Kinds
from steersman.controllers.loop import Index, Watch


class KnownKinds:
    """A `loop.Custom` that only keeps count: nothing of the custom kinds is watched."""

    def __init__(self, served: Kinds) -> None:
        self._served = served
        self._custom: dict[str, Kind] = {}

    def of(self, api_version: str, kind: str) -> Kind | None:
        """The kind as it is stored, whatever version of its group is named."""
        group = api_version.rpartition("/")[0]
        known = (*self._served, *self._custom.values())
        return next((one for one in known if (one.group, one.kind) == (group, kind) and one.storage is None), None)

    def added(self, kind: Kind) -> tuple[tuple[Watch, ...], tuple[Index, ...]]:
        self._custom[kind.resource] = kind
        return (), ()

    def waiting_for(self, kind: Kind) -> tuple[str, ...]:
        return ()

    def removed(self, kind: Kind) -> None:
        self._custom.pop(kind.resource, None)
