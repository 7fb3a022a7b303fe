"""Sets of fields in the very form that `fieldsV1` has on the wire, and their algebra.

    {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:replicas": {}}}

A node is a member of the set when it is empty or has the key "."; every other key is a child. So a set needs no decoding
and no encoding, unchanged parts are shared between sets, and nobody ever changes one in place.
Source: structured-merge-diff's fieldpath package (Set, path elements and their JSON form).
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

Set = dict[str, Any]
Path = tuple[str, ...]

EMPTY: Set = {}
SELF = "."


def union(first: Set, second: Set) -> Set:
    """Fields of either. Gives `first` itself where `second` adds nothing."""
    if first is second or not second:
        return first
    result = None
    for key, right in second.items():
        left = first.get(key)
        joined = right if left is None else _joined(left, right)
        if joined is not left:
            result = dict(first) if result is None else result
            result[key] = joined
    return first if result is None else result


def _joined(left: Set, right: Set) -> Set:
    if not left:
        return left if not right else right if SELF in right else {SELF: EMPTY, **right}
    if not right:
        return left if SELF in left else {SELF: EMPTY, **left}
    return union(left, right)


def difference(first: Set, second: Set) -> Set:
    """Members of `first` that are none of `second`: a parent does not take its children with it."""
    result = None
    for key, right in second.items():
        left = first.get(key)
        if left is None:
            continue
        rest = _without_members(left, right)
        if rest is not left:
            result = dict(first) if result is None else result
            _put(result, key, rest)
    return first if result is None else result


def _without_members(left: Set, right: Set) -> Set | None:
    """The rest of a node; None when nothing of it is left."""
    if not left:
        return None if is_member(right) else left
    if not right:
        return {key: child for key, child in left.items() if key != SELF} if SELF in left else left
    return _normal(difference(left, right), left)


def recursive_difference(first: Set, second: Set) -> Set:
    """`first` without the members of `second` and all that is below them."""
    result = None
    for key, right in second.items():
        left = first.get(key)
        if left is None:
            continue
        rest = None if is_member(right) else _normal(recursive_difference(left, right), left)
        if rest is not left:
            result = dict(first) if result is None else result
            _put(result, key, rest)
    return first if result is None else result


def _normal(node: Set, before: Set) -> Set | None:
    """A node in its one form: no children and a member → empty; no children and no member → None."""
    if node is before:
        return node
    if len(node) == 1 and SELF in node:
        return EMPTY
    return node or None


def _put(into: Set, key: str, node: Set | None) -> None:
    if node is None:
        del into[key]
    else:
        into[key] = node


def intersection(first: Set, second: Set) -> Set:
    """Members of both."""
    if len(second) < len(first):
        first, second = second, first
    result: Set = {}
    for key, left in first.items():
        right = second.get(key)
        if right is None or key == SELF:
            continue
        children = intersection(left, right) if left and right else EMPTY
        if is_member(left) and is_member(right):
            result[key] = {SELF: EMPTY, **children} if children else EMPTY
        elif children:
            result[key] = children
    return result


def leaves(fields: Set) -> Set:
    """The members that have no members below them."""
    return {key: leaves(node) for key, node in fields.items() if key != SELF}


def is_member(node: Set) -> bool:
    return not node or SELF in node


def has(fields: Set, path: Path) -> bool:
    """Whether the field at the path is a member."""
    node = fields
    for element in path:
        found = node.get(element)
        if found is None:
            return False
        node = found
    return bool(path) and is_member(node)


def of(*paths: Path) -> Set:
    """The set of these paths."""
    result: Set = {}
    for path in paths:
        node: Set = EMPTY
        for element in reversed(path):
            node = {element: node}
        result = union(result, node)
    return result


def paths(fields: Set, prefix: Path = ()) -> Iterator[Path]:
    """Every member, in upstream's order: the members of a level before what is below them."""
    keys = sorted((key for key in fields if key != SELF), key=_order)
    for key in keys:
        if is_member(fields[key]):
            yield (*prefix, key)
    for key in keys:
        yield from paths(fields[key], (*prefix, key))


def text(path: Iterable[str]) -> str:
    """`.spec.containers[name="main"].image`, as messages name a field."""
    return "".join(_element_text(element) for element in path)


def _element_text(element: str) -> str:
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "k:":
        return "[" + ",".join(f"{name}={_value_text(value)}" for name, value in orjson.loads(rest).items()) + "]"
    if kind == "v:":
        return f"[={_value_text(orjson.loads(rest))}]"
    return f"[{rest}]"


def _value_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _order(element: str) -> tuple[Any, ...]:
    """Fields by name, then keys, then values, numbers by size."""
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return (0, rest)
    if kind == "k:":
        return (1, *((name, *_value_order(value)) for name, value in sorted(orjson.loads(rest).items())))
    if kind == "v:":
        return (2, *_value_order(orjson.loads(rest)))
    return (3, rest)


def _value_order(value: Any) -> tuple[int, Any]:
    match value:
        case bool():
            return (2, value)
        case int() | float():
            return (0, value)
        case str():
            return (1, value)
    return (3, _value_text(value))


class Malformed(ValueError):
    """Not a set: the message says where."""


DEPTH_MAX = 200  # as of values without a schema (`api.checks`): the JSON writer gives up at 254 levels


def read(value: Any, depth: int = DEPTH_MAX) -> Set:
    """A set from outside, in its one form; elements of kinds nobody knows are left out. Raises Malformed."""
    if value.__class__ is not dict:
        raise Malformed("a set of fields must be an object")
    if depth == 0:
        raise Malformed("exceeded max depth")
    result: Set = {}
    for key, node in value.items():
        if key == SELF:
            result[SELF] = EMPTY
        elif _is_known(key):
            result[key] = read(node, depth - 1)
    return EMPTY if len(result) == 1 and SELF in result else result


def _is_known(key: str) -> bool:
    if len(key) < 2:
        raise Malformed("key must be 2 characters long:")
    if key[1] != ":":
        raise Malformed(f"missing colon: {key}")
    try:
        if key[0] == "k" and not isinstance(orjson.loads(key[2:]), dict):
            raise Malformed(f"parsing key as path element: {key}")
        if key[0] == "v":
            orjson.loads(key[2:])
        if key[0] == "i":
            int(key[2:])
    except ValueError as error:
        raise Malformed(f"parsing key as path element: {key}: {error}") from error
    return key[0] in "fkvi"
