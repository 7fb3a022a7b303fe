"""What an extension server says it serves, in the shape this server keeps for its own kinds. Pure.

Source: KEP-3352 (aggregated discovery) and the older APIResourceList; OpenAPI v2.
"""

from collections.abc import Iterable
from typing import Any

from steersman.api.kind import Kind, Subresource
from steersman.meta.objects import Object


def from_aggregated(document: Object, group: str, version: str) -> list[Kind] | None:
    """The rows of one group and version of an APIGroupDiscoveryList; None where it is not in there."""
    for item in _dicts(document.get("items")):
        if (item.get("metadata") or {}).get("name", "") != group:
            continue
        for one in _dicts(item.get("versions")):
            if one.get("version") == version:
                return [_row(group, version, resource) for resource in _dicts(one.get("resources"))]
    return None


def _row(group: str, version: str, resource: Object) -> Kind:
    shown = resource.get("responseKind") or {}
    return Kind(
        group,
        version,
        str(shown.get("kind", "")),
        str(resource.get("resource", "")),
        str(resource.get("singularResource", "")),
        namespaced=resource.get("scope") == "Namespaced",
        short_names=_texts(resource.get("shortNames")),
        categories=_texts(resource.get("categories")),
        verbs=_texts(resource.get("verbs")),
        subresources=tuple(
            Subresource(
                str(sub.get("subresource", "")),
                str((sub.get("responseKind") or {}).get("kind", "")),
                str((sub.get("responseKind") or {}).get("group", "")),
                str((sub.get("responseKind") or {}).get("version", "")),
                _texts(sub.get("verbs")),
            )
            for sub in _dicts(resource.get("subresources"))
        ),
    )


def from_list(document: Object, group: str, version: str) -> list[Kind]:
    """The rows of an APIResourceList."""
    listed = _dicts(document.get("resources"))
    subs: dict[str, list[Subresource]] = {}
    for one in listed:
        plural, found, name = str(one.get("name", "")).partition("/")
        if found:
            kind = Subresource(
                name,
                str(one.get("kind", "")),
                str(one.get("group") or group),
                str(one.get("version") or version),
                _texts(one.get("verbs")),
            )
            subs.setdefault(plural, []).append(kind)
    return [
        Kind(
            group,
            version,
            str(one.get("kind", "")),
            str(one.get("name", "")),
            str(one.get("singularName", "")),
            namespaced=one.get("namespaced") is True,
            short_names=_texts(one.get("shortNames")),
            categories=_texts(one.get("categories")),
            verbs=_texts(one.get("verbs")),
            subresources=tuple(subs.get(str(one.get("name", "")), ())),
        )
        for one in listed
        if "/" not in str(one.get("name", "/"))
    ]


def merged_openapi(own: Object, others: Iterable[tuple[str, Object]]) -> Object:
    """OpenAPI v2 of this server with what extension servers say of the paths that are theirs.

    `others` are (path of the group and version, document). A definition of a name that is taken gets one of its own.
    """
    paths, definitions = dict(own["paths"]), dict(own["definitions"])
    for prefix, document in others:
        theirs = {
            path: item
            for path, item in (document.get("paths") or {}).items()
            if path.rstrip("/") == prefix or path.startswith(f"{prefix}/")
        }
        given: Object = document.get("definitions") or {}
        wanted = _closure(theirs, given)
        names = {name: _name(name, given[name], definitions) for name in wanted}
        paths.update(_renamed(theirs, names))
        definitions.update({names[name]: _renamed(given[name], names) for name in wanted})
    return {**own, "paths": paths, "definitions": dict(sorted(definitions.items()))}


def _closure(start: Any, definitions: Object) -> list[str]:
    """The definitions that something refers to, and all that they refer to."""
    found: dict[str, None] = {}
    waiting = [start]
    while waiting:
        for name in _references(waiting.pop()):
            if name in definitions and name not in found:
                found[name] = None
                waiting.append(definitions[name])
    return list(found)


def _references(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix("#/definitions/")
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _name(name: str, definition: Any, taken: Object) -> str:
    """Upstream's `NAME_v2` for another one of the same name."""
    number, wanted = 2, name
    while wanted in taken and taken[wanted] != definition:
        wanted, number = f"{name}_v{number}", number + 1
    return wanted


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _renamed(inner, names) for key, inner in value.items()}
    reference = changed.get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix("#/definitions/")
        changed["$ref"] = f"#/definitions/{names.get(name, name)}"
    return changed


def _dicts(value: Any) -> list[Object]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
