"""`replacements`: values of one resource's field into fields of others. Pure."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from steersman.kubectl.kustomize import patches
from steersman.kubectl.kustomize.errors import KustomizeError
from steersman.kubectl.kustomize.resources import Id, Resource, Resources

_NAME = "metadata.name"


def apply(resources: Resources, replacement: Mapping[str, Any]) -> None:
    """Raises KustomizeError."""
    source = replacement.get("source")
    if "sourceValue" in replacement:
        value: Any = replacement["sourceValue"]
    elif source:
        value = _source_value(resources, source)
    else:
        raise KustomizeError("must specify a source and at least one target")
    if not replacement.get("targets"):
        raise KustomizeError("must specify a source and at least one target")
    for target in replacement["targets"]:
        if not target.get("select"):
            raise KustomizeError("target must specify resources to select")
        options = target.get("options") or {}
        rejected = [one for reject in target.get("reject") or () for one in patches.select(resources, reject)]
        for resource in patches.select(resources, target["select"]):
            if not any(resource is one for one in rejected):
                for path in target.get("fieldPaths") or (_NAME,):
                    _replace(resource, path, value, options)


def _source_value(resources: Resources, source: Mapping[str, Any]) -> Any:
    options = source.get("options") or {}
    exact = {key: source[key] for key in ("group", "version", "kind", "name", "namespace") if source.get(key)}
    found = [
        resource
        for resource in resources
        if any(all(getattr(one, key) == value for key, value in exact.items()) for one in resource.ids())
    ]
    if len(found) != 1:
        wanted = Id(*(str(source.get(key) or "") for key in ("group", "version", "kind", "name", "namespace")))
        raise KustomizeError(f"{'multiple matches for selector' if found else 'nothing selected by'} {wanted}")
    path = source.get("fieldPath") or _NAME
    values = list(_places(found[0].obj, split(path), None))
    if not values:
        raise KustomizeError(f"fieldPath `{path}` is missing for replacement source {found[0].id}")
    holder, key = values[0]
    value = copy.deepcopy(holder[key])
    delimiter = options.get("delimiter")
    if not delimiter:
        return value
    if isinstance(value, (dict, list)):
        raise KustomizeError("delimiter option can only be used with scalar nodes")
    parts, index = _text(value).split(delimiter), options.get("index") or 0
    if not 0 <= index < len(parts):
        raise KustomizeError(f"options.index {index} is out of bounds for value {_text(value)}")
    return parts[index]


def _replace(resource: Resource, path: str, value: Any, options: Mapping[str, Any]) -> None:
    create = value if options.get("create") else None
    found = list(_places(resource.obj, split(path), create))
    if not found:
        raise KustomizeError(f'unable to find field "{path}" in replacement target')
    resource.remember()
    for holder, key in found:
        holder[key] = _placed(holder[key], value, options)


def _placed(old: Any, value: Any, options: Mapping[str, Any]) -> Any:
    """What the field becomes; one with a value of its own keeps its type."""
    delimiter = options.get("delimiter")
    if delimiter:
        if isinstance(old, (dict, list)):
            raise KustomizeError("delimiter option can only be used with scalar nodes")
        parts, index = _text(old).split(delimiter), options.get("index") or 0
        if index < 0:
            parts = [_text(value), *parts]
        elif index >= len(parts):
            parts.append(_text(value))
        else:
            parts[index] = _text(value)
        return delimiter.join(parts)
    if isinstance(value, (dict, list)) or isinstance(old, (dict, list)) or old is None:
        return copy.deepcopy(value)
    if isinstance(old, str):
        return _text(value)
    if isinstance(old, bool):
        return value
    try:
        return type(old)(_text(value))
    except ValueError:
        raise KustomizeError(f"yaml: cannot decode !!str `{_text(value)}` as a !!int") from None


def _places(obj: Any, parts: list[str], create: Any) -> Iterator[tuple[Any, Any]]:
    """(map or list, key) of every field that the path leads to; made on the way where `create` is a value."""
    part, last = parts[0], len(parts) == 1
    for holder, key in _step(obj, part, create, _empty(create if last else parts[1])):
        if last:
            yield holder, key
        else:
            yield from _places(holder[key], parts[1:], create)


def _step(obj: Any, part: str, create: Any, empty: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(obj, list):
        chosen = _chooser(part)
        found = [place for place, item in enumerate(obj) if chosen(place, item)]
        if not found and create is not None and part.startswith("["):
            key, _, value = part[1:-1].partition("=")
            obj.append({key: value} if key else value)
            found = [len(obj) - 1]
        yield from ((obj, place) for place in found)
    elif isinstance(obj, dict):
        if part == "*":
            yield from ((obj, key) for key in obj)
        elif part in obj:
            yield obj, part
        elif create is not None:
            obj[part] = empty
            yield obj, part


def _empty(following: Any) -> Any:
    """What a field is made as: a list where the path goes on into one."""
    if isinstance(following, str) and following.startswith("["):
        return []
    return {} if isinstance(following, (str, dict)) else None


def _chooser(part: str) -> Callable[[int, Any], bool]:
    if part == "*":
        return lambda place, item: True
    if part.startswith("[") and part.endswith("]"):
        key, _, value = part[1:-1].partition("=")
        return lambda place, item: _text(item.get(key)) == value if key and isinstance(item, dict) else item == value
    if part.isdecimal():
        return lambda place, item: place == int(part)
    if part == "-":
        return lambda place, item: False
    return lambda place, item: isinstance(item, dict) and item.get("name") == part


def split(path: str) -> list[str]:
    """By dots, but not within `[…]` and not where `\\.` stands."""
    parts, current, depth, escaped = [], "", 0, False
    for character in path:
        if escaped:
            current += character if character == "." else f"\\{character}"
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "." and depth == 0:
            parts.append(current)
            current = ""
        else:
            depth += {"[": 1, "]": -1}.get(character, 0)
            current += character
    return [part for part in (*parts, current) if part]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
