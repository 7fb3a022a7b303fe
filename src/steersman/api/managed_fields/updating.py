"""What a write that is no apply does to the entries: the writer owns what it changed, the others own it no more.

Source: structured-merge-diff's merge.Updater and the chain of managers in apimachinery's util/managedfields.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from steersman.api.managed_fields import compiling, entries, sets
from steersman.api.managed_fields.entries import Entry
from steersman.api.managed_fields.types import Mistyped
from steersman.meta.objects import Object

Compared = tuple[sets.Set, sets.Set]
CompareAt = Callable[[Entry], Compared | None]
# An object in another version of its kind, with that version's type; None where that version is not served any more.
Convert = Callable[[Object, str], tuple[compiling.Type, Object] | None]

_SHAPES_MAX = 256  # specs of a kind whose fields are remembered, some kB each
_IDENTIFYING = (
    *("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields"),
    "resourceVersion",
)
_OWNED_BY_NOBODY = sets.of(
    ("f:apiVersion",), ("f:kind",), ("f:metadata",), *(("f:metadata", f"f:{name}") for name in _IDENTIFYING)
)


class Writer(NamedTuple):
    """Who writes, through which subresource, when. `reset` are the fields that the kind does not let this way of writing change."""

    manager: str
    now: str
    subresource: str = ""
    reset: sets.Set = sets.EMPTY


def no_conversion(obj: Object, api_version: str) -> None:
    """The conversion of kinds that have one version."""


def strip(fields: sets.Set) -> sets.Set:
    """Without what identifies the object: nobody owns that."""
    return sets.difference(fields, _OWNED_BY_NOBODY)


def created(of_type: compiling.Type, new: Object, by: Writer) -> list[Entry]:
    """The entries of a new object."""
    try:
        fields = _of_new(of_type, new)
    except (Mistyped, RecursionError):
        return []
    fields = strip(sets.recursive_difference(fields, by.reset))
    if not fields:
        return []
    return [entries.make(by.manager, entries.UPDATE, of_type.api_version, by.subresource, fields, by.now)]


def updated(
    of_type: compiling.Type,
    old: Object,
    new: Object,
    before: list[Entry],
    by: Writer,
    convert: Convert = no_conversion,
) -> list[Entry]:
    """The entries after a write; `before` itself where nothing of them changes. Neither object counts its managedFields."""
    if not before:
        return before  # nobody began to keep account: the first apply does
    try:
        return _updated(of_type, old, new, before, by, convert)
    except (Mistyped, RecursionError):
        return before


def _updated(
    of_type: compiling.Type, old: Object, new: Object, before: list[Entry], by: Writer, convert: Convert
) -> list[Entry]:
    compared = compare(of_type, old, new, by.reset)
    mine = strip(compared[0])
    me = (by.manager, entries.UPDATE, of_type.api_version, by.subresource)
    previous = next((entry for entry in before if entries.identity(entry) == me), None) if mine else None
    others = [entry for entry in before if entry is not previous] if previous else before
    others = without(others, of_type, compared, comparing(old, new, by.reset, convert))
    if not mine:
        return others
    owned = sets.difference(previous["fieldsV1"], compared[1]) if previous else sets.EMPTY
    entry = entries.make(*me, sets.union(owned, mine), by.now)
    return entries.ordered(entries.limited([*others, entry]))


def compare(of_type: compiling.Type, old: Object, new: Object, reset: sets.Set = sets.EMPTY) -> Compared:
    """(modified and added, removed) fields, but for those that are reset anyway. Raises Mistyped."""
    missing = [field for field in of_type.zero if field not in old]
    if missing:
        old = {**old, **{field: of_type.zero[field] for field in missing}}
    changed, removed = of_type.root.compare(old, new)
    return sets.recursive_difference(changed or {}, reset), sets.recursive_difference(removed or {}, reset)


def without(before: list[Entry], of_type: compiling.Type, compared: Compared, compare_at: CompareAt) -> list[Entry]:
    """The entries without what changed or went; entries that own nothing more are gone."""
    after = []
    same = True
    for entry in before:
        found = compared if entry["apiVersion"] == of_type.api_version else compare_at(entry)
        if found is None:
            same = False
            continue
        fields = entry["fieldsV1"]
        rest = sets.difference(sets.difference(fields, found[0]), found[1])
        if rest is fields:
            after.append(entry)
            continue
        same = False
        if rest:
            after.append(entries.with_fields(entry, rest))
    return before if same else after


def comparing(old: Object, new: Object, reset: sets.Set, convert: Convert) -> CompareAt:
    """The comparison in the version an entry is written in; None where it cannot be made any more."""

    def compare_at(entry: Entry) -> Compared | None:
        was, now = convert(old, entry["apiVersion"]), convert(new, entry["apiVersion"])
        return None if was is None or now is None else compare(was[0], was[1], now[1], reset)

    return compare_at


def _of_new(of_type: compiling.Type, new: Object) -> sets.Set:
    """`compare` with nothing before. Objects made from one template share their spec, and so the fields of it."""
    result: sets.Set = {}
    leaves = of_type.leaves
    for field, value in new.items():
        element = leaves.get(field)
        if element is not None:
            result[element] = sets.EMPTY
            continue
        found = _of_spec(of_type, value) if field == "spec" else _of_field(of_type, field, value)
        if found is not None:
            result[f"f:{field}"] = found
    return result


def _of_field(of_type: compiling.Type, field: str, value: Any) -> sets.Set | None:
    node = of_type.root.node(field)
    zero = of_type.zero.get(field)
    if zero is None:
        return node.whole(value)
    return None if value == zero else node.compare(zero, value)[0]


def _of_spec(of_type: compiling.Type, spec: Any) -> sets.Set | None:
    try:
        key = orjson.dumps(spec)
    except orjson.JSONEncodeError:  # numbers beyond 64 bits in a schemaless field: the write itself will refuse them
        return None
    shapes = of_type.shapes
    if key in shapes:
        return shapes[key]
    found = _of_field(of_type, "spec", spec)
    if len(shapes) >= _SHAPES_MAX:
        shapes.clear()
    shapes[key] = found
    return found
