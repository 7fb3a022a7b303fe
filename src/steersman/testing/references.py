"""Names people use for kinds and objects: `deploy/web`, `pods`, `deployments.apps`, `Pod`, and those of custom resources.

Built-in kinds come first: `custom` are the rows of what CustomResourceDefinitions define, asked for only where needed.
"""

import functools
from collections.abc import Iterable

from steersman.api import kinds
from steersman.api.kind import Kind, Kinds
from steersman.meta.objects import Object


class UnknownKind(LookupError):
    """No kind has this name."""


def kind(name: str | Kind, custom: Iterable[Kind] = ()) -> Kind:
    """By kind, singular, plural, short name, or plural with group. Raises UnknownKind."""
    if isinstance(name, Kind):
        return name
    found = _builtin().get(name.lower()) or _by_name(custom).get(name.lower())
    if found is None:
        raise UnknownKind(f"the server doesn't have a resource type {name!r}")
    return found


def split(what: str | Kind, name: str = "") -> tuple[str | Kind, str]:
    """Kind and name of ("deployment/web") or ("deployment", "web")."""
    if isinstance(what, str) and "/" in what:
        what, name = what.split("/", 1)
    return what, name


@functools.cache
def _builtin() -> dict[str, Kind]:
    return _by_name(kinds.BUILTIN)


def _by_name(rows: Iterable[Kind]) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for row in rows:
        for name in (row.plural, row.singular, row.kind, *row.short_names, row.resource, f"{row.plural}.{row.group}"):
            found.setdefault(name.lower(), row)
    return found


def of_object(obj: Object, custom: Iterable[Kind] = ()) -> Kind:
    """Raises UnknownKind."""
    version, name = obj.get("apiVersion", ""), obj.get("kind", "")
    found = kinds.BUILTIN.of_object(version, name) or Kinds(custom).of_object(version, name)
    if found is None:
        raise UnknownKind(f"no matches for kind {obj.get('kind', '')!r} in version {obj.get('apiVersion', '')!r}")
    return found
