"""Strategic merge patch: a merge patch that knows which lists are keyed.

Merge keys and strategies come from the schema; where it says nothing, lists are replaced and maps merged.
Directives: `$patch: replace|delete|merge` in a map or list item, `$retainKeys`, `$deleteFromPrimitiveList/FIELD`,
`$setElementOrder/FIELD`. Source: the strategic merge patch page of the community's API documentation and apimachinery's
util/strategicpatch (its documentation and errors).
"""

from collections.abc import Callable
from typing import Any

from steersman.api import schema
from steersman.api.kind import Kind
from steersman.api.patches import json_patch
from steersman.meta import errors
from steersman.meta.objects import Object

MEDIA_TYPE = "application/strategic-merge-patch+json"

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"

_Map = dict[str, Any]
_Identity = Callable[[Any], Any]


def apply(kind: Kind, obj: Object, patch: Any, types: schema.Schema | None = None) -> Object:
    """Raises StatusError 400 or 422."""
    if not isinstance(patch, dict):
        raise errors.bad_request("the strategic merge patch is not a JSON object")
    known = types or schema.of_release()
    try:
        return _Merge(known).maps(obj, patch, known.definition_of(kind.group, kind.version, kind.kind))
    except RecursionError as why:
        raise errors.bad_request("exceeded max depth") from why


class _Merge:
    def __init__(self, types: schema.Schema) -> None:
        self._types = types

    def maps(self, original: _Map, patch: _Map, definition: schema.Definition | None) -> _Map:
        match patch.get(_PATCH):
            case None | "merge":
                pass
            case "replace":
                whole: _Map = _clean(patch)
                return whole
            case "delete":
                return {}
            case other:
                raise errors.bad_request(f"unknown patch type found: {other}")
        result = _retained(original, patch)
        orders = []
        for key, value in patch.items():
            if key in (_PATCH, _RETAIN):
                continue
            if key.startswith(_ORDER):
                orders.append(key)
            elif key.startswith(_DELETE_PRIMITIVES):
                self._delete_primitives(result, key.removeprefix(_DELETE_PRIMITIVES), value)
            elif value is None:
                result.pop(key, None)
            elif value.__class__ is dict or value.__class__ is list:
                result[key] = self._value(result.get(key), value, self._types.field(definition, key))
            else:
                result[key] = value
        for key in orders:
            field = key.removeprefix(_ORDER)
            self._set_order(result, original, patch, field, patch[key], self._types.field(definition, field))
        return result

    def _value(self, original: Any, patch: Any, definition: schema.Definition | None) -> Any:
        strategies = _strategies(definition)
        if isinstance(patch, dict):
            if isinstance(original, dict) and "replace" not in strategies:
                return self.maps(original, patch, definition)
            return self.maps({}, patch, definition) if _PATCH in patch else _clean(patch)
        if isinstance(patch, list):
            if "merge" in strategies:
                return self._lists(original if isinstance(original, list) else [], patch, definition)
            return _clean(patch)
        return patch

    def _lists(self, original: list[Any], patch: list[Any], definition: schema.Definition | None) -> list[Any]:
        if any(isinstance(item, list) for item in patch):
            raise json_patch.does_not_fit("lists of lists are not supported")
        if not any(isinstance(item, dict) for item in [*patch, *original]):
            merged = [*original, *(item for item in _distinct(patch) if item not in original)]
            return _ordered(merged, _distinct(patch), original, lambda item: item)
        if not all(isinstance(item, dict) for item in [*patch, *original]):
            raise json_patch.does_not_fit("list elements are of different types")
        merge_key = _merge_key(definition)
        if any(item.get(_PATCH) == "replace" for item in patch):
            whole: list[Any] = _clean([item for item in patch if _PATCH not in item])
            return whole
        return self._keyed_lists(original, patch, merge_key, self._types.items(definition))

    def _keyed_lists(
        self, original: list[Any], patch: list[Any], merge_key: str, definition: schema.Definition | None
    ) -> list[Any]:
        merged = list(original)
        plain = []
        for item in patch:
            if merge_key not in item:
                raise json_patch.does_not_fit(f"map: {item} does not contain declared merge key: {merge_key}")
            key = item[merge_key]
            at = next((index for index, old in enumerate(merged) if old.get(merge_key) == key), None)
            if item.get(_PATCH) == "delete":
                merged = [old for old in merged if old.get(merge_key) != key]
                continue
            plain.append(item)
            if at is None:
                merged.append(self.maps({}, item, definition))
            else:
                merged[at] = self.maps(merged[at], item, definition)
        return _ordered(merged, plain, original, lambda item: item.get(merge_key))

    def _delete_primitives(self, result: _Map, field: str, values: Any) -> None:
        if not isinstance(values, list):
            raise errors.bad_request("invalid patch format of primitive list: $deleteFromPrimitiveList must be a list")
        if isinstance(result.get(field), list):
            result[field] = [item for item in result[field] if item not in values]

    def _set_order(
        self, result: _Map, original: _Map, patch: _Map, field: str, order: Any, definition: schema.Definition | None
    ) -> None:
        if not isinstance(order, list):
            raise errors.bad_request("invalid patch format of $setElementOrder list: it must be a list")
        current = result.get(field)
        if not isinstance(current, list) or not current:
            return
        server_order = original.get(field)
        server_order = server_order if isinstance(server_order, list) else []
        identity = _identity(current, definition)
        wanted = [identity(item) for item in order]
        patched = patch.get(field)
        for item in patched if isinstance(patched, list) else ():
            if not (isinstance(item, dict) and _PATCH in item) and identity(item) not in wanted:
                raise errors.bad_request(f"The items in patch list {field} don't match the $setElementOrder list")
        result[field] = _ordered(current, order, server_order, identity)


def _strategies(definition: schema.Definition | None) -> str:
    """`merge`, `replace`, `retainKeys`, or several with commas between."""
    return str(definition.get("x-kubernetes-patch-strategy", "")) if definition else ""


def _merge_key(definition: schema.Definition | None) -> str:
    key = str((definition or {}).get("x-kubernetes-patch-merge-key", ""))
    if not key:
        raise json_patch.does_not_fit("map: the list does not declare a merge key")
    return key


def _identity(items: list[Any], definition: schema.Definition | None) -> _Identity:
    """What makes two items of a list the same: the merge key of maps, the value of primitives."""
    if not any(isinstance(item, dict) for item in items):
        return lambda item: item
    key = _merge_key(definition)
    return lambda item: item.get(key) if isinstance(item, dict) else None


def _retained(original: _Map, patch: _Map) -> _Map:
    retain = patch.get(_RETAIN)
    if retain is None:
        return dict(original)
    if not isinstance(retain, list):
        raise errors.bad_request("invalid patch format of retainKeys: $retainKeys must be a list")
    for key in patch:
        if not key.startswith("$") and patch[key] is not None and key not in retain:
            raise errors.bad_request(f"invalid patch format of retainKeys: {key} is not in $retainKeys")
    return {key: value for key, value in original.items() if key in retain}


def _ordered(merged: list[Any], patch_order: list[Any], server_order: list[Any], identity: _Identity) -> list[Any]:
    """Items the patch names stand in the patch's order; the others keep their places relative to them where both are known
    to the server, and otherwise come after."""
    wanted = [identity(item) for item in patch_order]
    if [identity(item) for item in merged] == wanted:
        return merged
    before = [identity(item) for item in server_order]
    named = sorted((item for item in merged if identity(item) in wanted), key=lambda item: wanted.index(identity(item)))
    others = [item for item in merged if identity(item) not in wanted]
    result = []
    while named and others:
        first, second = identity(others[0]), identity(named[0])
        takes_other = first in before and second in before and before.index(first) < before.index(second)
        result.append((others if takes_other else named).pop(0))
    return [*result, *named, *others]


def _distinct(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _clean(value: Any) -> Any:
    """What a patch adds as new: without nulls and directives. Keeps the type of its argument."""
    if isinstance(value, dict):
        return {
            key: _clean(inner)
            for key, inner in value.items()
            if inner is not None and key not in (_PATCH, _RETAIN) and not key.startswith((_ORDER, _DELETE_PRIMITIVES))
        }
    if isinstance(value, list):
        return [
            _clean(item) for item in value if not (isinstance(item, dict) and item.get(_PATCH) in ("delete", "replace"))
        ]
    return value
