"""Which object `deployment/web` is: the path of its kind, by any name kubectl takes for it. Pure."""

import dataclasses
from collections.abc import Iterable

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.meta.objects import Object


class Unknown(Exception):
    """There is no such kind, or no object is named."""


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """`path` is the object's in the API."""

    kind: str
    namespace: str
    name: str
    path: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    kind: str
    group: str
    version: str
    plural: str
    namespaced: bool

    def path(self, namespace: str) -> str:
        start = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{start}/namespaces/{namespace}/{self.plural}" if self.namespaced else f"{start}/{self.plural}"


def named(words: Iterable[str], namespace: str, definitions: Iterable[Object]) -> Named:
    """`KIND/NAME` or `KIND NAME`; KIND is singular, plural or short, with or without `.GROUP`. `definitions` are those of
    custom resources. Raises Unknown."""
    kind, slash, name = " ".join(words).replace(" ", "/", 1).partition("/")
    if not slash or not kind or not name or "/" in name or " " in name:
        raise Unknown("Name an object: KIND/NAME, for example deployment/web.")
    found = _built_in(kind.lower()) or _custom(kind.lower(), definitions)
    if found is None:
        raise Unknown(f'The cluster has no kind "{kind}".')
    return Named(found.kind, namespace if found.namespaced else "", name, f"{found.path(namespace)}/{name}")


def _built_in(word: str) -> _Found | None:
    fitting = [row for row in kinds.BUILTIN if _fits(word, row.group, _names(row))]
    if not fitting:
        return None
    row = min(fitting, key=lambda one: "beta" in one.version or "alpha" in one.version)
    return _Found(row.kind, row.group, row.version, row.plural, row.namespaced)


def _names(row: Kind) -> set[str]:
    return {row.plural, row.kind.lower(), *row.short_names}


def _custom(word: str, definitions: Iterable[Object]) -> _Found | None:
    for definition in definitions:
        spec = definition["spec"]
        names = spec["names"]
        known = {names["plural"], names.get("singular") or names["kind"].lower(), *(names.get("shortNames") or ())}
        if _fits(word, spec["group"], known):
            version = next(one["name"] for one in spec["versions"] if one.get("storage"))
            return _Found(names["kind"], spec["group"], version, names["plural"], spec["scope"] == "Namespaced")
    return None


def _fits(word: str, group: str, names: set[str]) -> bool:
    return any(word in (name, f"{name}.{group}") for name in names)
