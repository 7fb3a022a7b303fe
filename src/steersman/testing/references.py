"""Names people use for kinds and objects: `deploy/web`, `pods`, `deployments.apps`, `Pod`."""

import functools

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.meta.objects import Object


class UnknownKind(LookupError):
    """No kind has this name."""


def kind(name: str | Kind) -> Kind:
    """By kind, singular, plural, short name, or plural with group. Raises UnknownKind."""
    if isinstance(name, Kind):
        return name
    found = _by_name().get(name.lower())
    if found is None:
        raise UnknownKind(f"the server doesn't have a resource type {name!r}")
    return found


def split(what: str | Kind, name: str = "") -> tuple[Kind, str]:
    """("deployment/web") or ("deployment", "web")."""
    if isinstance(what, str) and "/" in what:
        what, name = what.split("/", 1)
    return kind(what), name


@functools.cache
def _by_name() -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for row in kinds.BUILTIN:
        for name in (row.plural, row.singular, row.kind, *row.short_names, row.resource, f"{row.plural}.{row.group}"):
            found.setdefault(name.lower(), row)
    return found


def of_object(obj: Object) -> Kind:
    """Raises UnknownKind."""
    found = kinds.BUILTIN.of_object(obj.get("apiVersion", ""), obj.get("kind", ""))
    if found is None:
        raise UnknownKind(f"no matches for kind {obj.get('kind', '')!r} in version {obj.get('apiVersion', '')!r}")
    return found
