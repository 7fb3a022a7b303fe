"""Strategic merge patches out of two or three versions of an object, as the server's `api/patches` reads them.

    three_way(types, original, modified, current) → patch

Keeps true: what the user wrote wins, what the user took out since the last time goes, what others added stays; lists with a
merge key are patched by item, with the order the user wrote in `$setElementOrder/…`.
Source: apimachinery's strategicpatch (CreateTwoWayMergePatch, CreateThreeWayMergePatch).
"""

import functools
from typing import Any, NamedTuple

from steersman.kubectl.merging import json_merge, patch_types
from steersman.kubectl.merging.patch_types import Definition, PatchTypes

_Map = dict[str, Any]

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList"
_ORDER = "$setElementOrder"


class Conflict(Exception):
    """Without overwriting: somebody else changed what the patch changes. The text is the two sets of changes."""

    def __init__(self, patch: _Map, changed: _Map) -> None:
        super().__init__()
        self.patch = patch
        self.changed = changed


class NoMergeKey(Exception):
    """An item of a list lacks the field that tells it from the others."""


class _Options(NamedTuple):
    deletions: bool = True
    changes: bool = True
    order: bool = False
    retain_keys: bool = False


def two_way(types: PatchTypes, original: _Map, modified: _Map) -> _Map:
    """The patch that makes `modified` of `original`. Raises NoMergeKey."""
    return _Diff(types).maps(original, modified, types.root, _Options(order=True))


def three_way(types: PatchTypes, original: _Map, modified: _Map, current: _Map, *, overwrite: bool = True) -> _Map:
    """Raises Conflict (only when not to overwrite) and NoMergeKey."""
    diff = _Diff(types)
    delta = diff.maps(current, modified, types.root, _Options(deletions=False, order=True))
    deleted = diff.maps(original, modified, types.root, _Options(changes=False, order=True))
    patch = _Both(types).maps(deleted, delta, types.root)
    if not overwrite:
        changed = diff.maps(original, current, types.root, _Options())
        if _conflict(patch, changed):
            raise Conflict(patch, changed)
    return patch


class _Diff:
    """The changes between two versions, as a patch."""

    def __init__(self, types: PatchTypes) -> None:
        self._types = types

    def maps(self, original: _Map, modified: _Map, definition: Definition | None, options: _Options) -> _Map:
        patch: _Map = {}
        for key, value in modified.items():
            if key not in original or type(original[key]) is not type(value):
                if options.changes:
                    patch[key] = value
            elif isinstance(value, dict):
                self._map(key, original[key], value, patch, self._types.field(definition, key), options)
            elif isinstance(value, list):
                self._list(key, original[key], value, patch, self._types.field(definition, key), options)
            elif options.changes and not json_merge.same(original[key], value):
                patch[key] = value
        if options.deletions:
            patch |= {key: None for key in original if key not in modified}
        if options.retain_keys:
            kept = sorted((key for key, value in modified.items() if value is not None), key=str)
            if kept and (patch or any(key not in modified for key in original)):
                patch[_RETAIN] = kept
        return patch

    def _map(
        self, key: str, original: _Map, modified: _Map, patch: _Map, definition: Definition | None, options: _Options
    ) -> None:
        strategy, retain_keys = patch_types.strategies(definition)
        if strategy == "replace":
            if options.changes:
                patch[key] = modified
            return
        inner = self.maps(original, modified, definition, options._replace(retain_keys=retain_keys))
        if inner:
            patch[key] = inner

    def _list(
        self,
        key: str,
        original: list[Any],
        modified: list[Any],
        patch: _Map,
        definition: Definition | None,
        options: _Options,
    ) -> None:
        strategy, retain_keys = patch_types.strategies(definition)
        if strategy != "merge":
            if options.changes and not json_merge.same(original, modified):
                patch[key] = modified
            return
        inner = options._replace(retain_keys=retain_keys)
        added, deleted, order = self._lists(original, modified, definition, inner)
        for name, found in ((key, added), (f"{_DELETE_PRIMITIVES}/{key}", deleted), (f"{_ORDER}/{key}", order)):
            if found:
                patch[name] = found

    def _lists(
        self, original: list[Any], modified: list[Any], definition: Definition | None, options: _Options
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """(what to add, primitives to delete, the order)"""
        if not original:
            return (modified if options.changes else []), [], []
        if isinstance((modified or original)[0], dict):
            return self._keyed(original, modified, definition, options)
        added = [item for item in _distinct(modified) if item not in original] if options.changes else []
        deleted = _sorted([item for item in _distinct(original) if item not in modified]) if options.deletions else []
        differs = options.changes and not json_merge.same(original, modified)
        return added, deleted, modified if options.order and (deleted or differs) else []

    def _keyed(
        self, original: list[Any], modified: list[Any], definition: Definition | None, options: _Options
    ) -> tuple[list[Any], list[Any], list[Any]]:
        key, items = patch_types.merge_key(definition), self._types.items(definition)
        before, after = _by_key(original, key), _by_key(modified, key)
        added = []
        for name, item in after.items():
            if name not in before:
                added += [item] if options.changes else []
                continue
            inner = self.maps(before[name], item, items, options)
            if inner:
                added.append({**inner, key: name})
        deleted = sorted((name for name in before if name not in after), key=_text) if options.deletions else []
        patch = added + [{key: name, _PATCH: "delete"} for name in deleted]
        moved = [item[key] for item in original] != [item[key] for item in modified]
        ordered = options.order and (patch or (options.changes and moved))
        return patch, [], [{key: item[key]} for item in modified] if ordered else []


class _Both:
    """Two patches become one: what is deleted, and what is new."""

    def __init__(self, types: PatchTypes) -> None:
        self._types = types

    def maps(self, deleted: _Map, delta: _Map, definition: Definition | None) -> _Map:
        result = dict(deleted)
        for key, value in delta.items():
            before = result.get(key)
            field = self._types.field(definition, key)
            if isinstance(value, dict) and isinstance(before, dict):
                result[key] = (
                    value if patch_types.strategies(field)[0] == "replace" else self.maps(before, value, field)
                )
            elif isinstance(value, list) and isinstance(before, list) and not key.startswith("$"):
                result[key] = self._lists(before, value, field)
            else:
                result[key] = value
        return result

    def _lists(self, deleted: list[Any], delta: list[Any], definition: Definition | None) -> list[Any]:
        if patch_types.strategies(definition)[0] != "merge":
            return delta
        if not isinstance((delta or deleted)[0], dict):
            return _distinct([*deleted, *delta])
        key, items = patch_types.merge_key(definition), self._types.items(definition)
        before, after = _by_key(deleted, key), _by_key(delta, key)
        changed = [self.maps(before[name], item, items) if name in before else item for name, item in after.items()]
        rest = [item for item in deleted if item[key] not in after]
        going = [item for item in rest if item.get(_PATCH) == "delete"]
        staying = [item for item in rest if item.get(_PATCH) != "delete"]
        return _interleaved([*staying, *going], changed, [item[key] for item in deleted], key)


def _interleaved(first: list[Any], second: list[Any], order: list[Any], key: str) -> list[Any]:
    """Both lists with their own orders kept; an item of `first` goes before one of `second` only where `order` says so."""
    result, left, right = [], list(first), list(second)
    while left and right:
        one, other = left[0][key], right[0][key]
        earlier = one in order and other in order and order.index(one) < order.index(other)
        result.append(left.pop(0) if earlier else right.pop(0))
    return [*result, *left, *right]


def _conflict(patch: Any, changed: Any) -> bool:
    """Whether both change the same thing to different values."""
    if isinstance(patch, dict) and isinstance(changed, dict):
        return any(
            _conflict(value, changed[key]) for key, value in patch.items() if key in changed and not key.startswith("$")
        )
    if isinstance(patch, list) and isinstance(changed, list):
        return len(patch) != len(changed) or any(map(_conflict, patch, changed))
    return not json_merge.same(patch, changed)


def _by_key(items: list[Any], key: str) -> dict[Any, _Map]:
    for item in items:
        if not isinstance(item, dict) or key not in item:
            raise NoMergeKey(f"map: {_go(item)} does not contain declared merge key: {key}")
    return {item[key]: item for item in items}


def _go(value: Any) -> str:
    """As Go's %v prints what JSON holds."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if value is None:
        return "<nil>"
    return _text(value)


@functools.singledispatch
def _text(value: Any) -> str:
    return str(value)


@_text.register
def _(value: bool) -> str:
    return "true" if value else "false"


def _sorted(values: list[Any]) -> list[Any]:
    return sorted(values, key=_text)


def _distinct(values: list[Any]) -> list[Any]:
    result: list[Any] = []
    for value in values:
        if value not in result:
            result.append(value)
    return result
