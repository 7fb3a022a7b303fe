"""Merge patches (RFC 7386) out of two or three versions: for kinds whose types have no patch strategies, as custom ones."""

from typing import Any

_Map = dict[str, Any]


def two_way(original: _Map, modified: _Map) -> _Map:
    """The patch that makes `modified` of `original`."""
    patch: _Map = {key: None for key in original if key not in modified}
    for key, value in modified.items():
        before = original.get(key)
        if key not in original:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(before, dict):
            inner = two_way(before, value)
            if inner:
                patch[key] = inner
        elif not same(value, before):
            patch[key] = value
    return patch


def three_way(original: _Map, modified: _Map, current: _Map) -> _Map:
    """What is new or changed against `current`, and what went since `original`: what others added stays."""
    changes = _without_removals(two_way(current, modified))
    removals = _removals_only(two_way(original, modified))
    return _merged(changes, removals)


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values: `1` and `true` are two things, `1` and `1.0` are one."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


def _without_removals(patch: _Map) -> _Map:
    kept: _Map = {}
    for key, value in patch.items():
        if value is None:
            continue
        if isinstance(value, dict):
            inner = _without_removals(value)
            if inner or not value:
                kept[key] = inner
        else:
            kept[key] = value
    return kept


def _removals_only(patch: _Map) -> _Map:
    kept: _Map = {}
    for key, value in patch.items():
        if value is None:
            kept[key] = None
        elif isinstance(value, dict):
            inner = _removals_only(value)
            if inner:
                kept[key] = inner
    return kept


def _merged(first: _Map, second: _Map) -> _Map:
    """Both patches in one; where they meet in anything but a map, the second wins."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        result[key] = _merged(before, value) if isinstance(value, dict) and isinstance(before, dict) else value
    return result
