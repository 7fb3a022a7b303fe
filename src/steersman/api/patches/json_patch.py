"""JSON patch (RFC 6902): add, remove, replace, move, copy, test.

As upstream's library has it (json-patch v4), which is laxer than the RFC: `replace` sets a field that is not there, a missing
`value` is null, and so is what `copy` and `test` find where an object lacks the field.

A malformed patch is 400; one that does not fit the object (a missing path, a failed test) 422, both with upstream's texts.
"""

from collections.abc import Callable
from typing import Any

from steersman.meta import errors
from steersman.meta.objects import Object

OPERATIONS_MAX = 10_000  # upstream's maxJSONPatchOperations
MEDIA_TYPE = "application/json-patch+json"
TEST_FAILED = "test failed"  # how the message of an operation `test` ends that does not hold


class _DoesNotFit(Exception):
    """The patch is well formed, but not for this object."""


def apply(obj: Object, patch: Any) -> Object:
    """Raises StatusError 400, 413 or 422."""
    operations = _checked(patch)
    document: Any = obj
    try:
        for operation in operations:
            document = _OPERATIONS[operation["op"]](document, operation)
    except _DoesNotFit as why:
        raise does_not_fit(str(why)) from why
    except RecursionError as why:
        raise errors.bad_request("exceeded max depth") from why
    if not isinstance(document, dict):
        raise does_not_fit("the patched document is not an object")
    return document


def does_not_fit(why: str) -> errors.StatusError:
    """422 as upstream words it; the reason proper goes into the causes, where upstream leaves it out."""
    text = "the server rejected our request due to an error in our request"
    return errors.StatusError(
        errors.status(422, "Invalid", text, causes=[{"reason": "UnexpectedServerResponse", "message": why}])
    )


def _checked(patch: Any) -> list[dict[str, Any]]:
    if not isinstance(patch, list) or not all(isinstance(operation, dict) for operation in patch):
        raise errors.bad_request("json: cannot unmarshal the patch into Go value of type jsonpatch.Patch")
    if len(patch) > OPERATIONS_MAX:
        raise errors.too_large(f"The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {len(patch)}")
    for operation in patch:
        name = operation.get("op")
        if not isinstance(name, str) or name not in _OPERATIONS:
            raise does_not_fit(f"Unexpected kind: {name}")
        needed = ("path", "from") if name in ("move", "copy") else ("path",)
        for field in needed:
            if not isinstance(operation.get(field), str):
                raise does_not_fit(f"{name} operation does not have a valid {field}")
    return patch


def _pointer(text: str) -> list[str]:
    if text == "":
        return []
    if not text.startswith("/"):
        raise _DoesNotFit(f"path {text!r} does not begin with '/'")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _add(document: Any, operation: dict[str, Any]) -> Any:
    return _changed(
        document, _pointer(operation["path"]), lambda parent, last: _with(parent, last, operation.get("value"))
    )


def _remove(document: Any, operation: dict[str, Any]) -> Any:
    return _changed(document, _pointer(operation["path"]), _without)


def _replace(document: Any, operation: dict[str, Any]) -> Any:
    path, value = _pointer(operation["path"]), operation.get("value")

    def replaced(parent: Any, last: str) -> Any:
        if isinstance(parent, dict):
            return {**parent, last: value}
        index = _index(parent, last)
        return [*parent[:index], value, *parent[index + 1 :]]

    return _changed(document, path, replaced) if path else value


def _move(document: Any, operation: dict[str, Any]) -> Any:
    source, target = _pointer(operation["from"]), _pointer(operation["path"])
    if source == target:
        _get(document, source)
        return document
    if target[: len(source)] == source:
        raise _DoesNotFit("cannot move a value into itself")
    value = _get(document, source)
    without = _changed(document, source, _without)
    return _changed(without, target, lambda parent, last: _with(parent, last, value))


def _copy(document: Any, operation: dict[str, Any]) -> Any:
    value = _get_or_null(document, _pointer(operation["from"]))
    return _changed(document, _pointer(operation["path"]), lambda parent, last: _with(parent, last, value))


def _test(document: Any, operation: dict[str, Any]) -> Any:
    found = _get_or_null(document, _pointer(operation["path"]))
    if not _equal(found, operation.get("value")):
        raise _DoesNotFit(f"testing value {operation['path']} failed: {TEST_FAILED}")
    return document


_OPERATIONS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _changed(document: Any, path: list[str], change: Callable[[Any, str], Any]) -> Any:
    """The document with `change(parent, last part)` in the place of the parent; copies only what lies on the path."""
    if not path:
        return change({"": document}, "")[""] if change is not _without else None
    return _descend(document, path, 0, change)


def _descend(node: Any, path: list[str], depth: int, change: Callable[[Any, str], Any]) -> Any:
    if not isinstance(node, dict | list):
        raise _DoesNotFit(f"doc is missing path: /{'/'.join(path[:depth])}")
    part = path[depth]
    if depth == len(path) - 1:
        return change(node, part)
    if isinstance(node, dict):
        if part not in node:
            raise _DoesNotFit(f"doc is missing path: /{'/'.join(path)}: missing value")
        return {**node, part: _descend(node[part], path, depth + 1, change)}
    index = _index(node, part)
    return [*node[:index], _descend(node[index], path, depth + 1, change), *node[index + 1 :]]


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, dict):
            if part not in document:
                raise _DoesNotFit(f"doc is missing key: {part}: missing value")
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(document, part)]
        else:
            raise _DoesNotFit(f"doc is missing key: {part}: missing value")
    return document


def _get_or_null(document: Any, path: list[str]) -> Any:
    parent = _get(document, path[:-1]) if path else document
    return parent.get(path[-1]) if path and isinstance(parent, dict) else _get(parent, path[-1:])


def _with(parent: Any, last: str, value: Any) -> Any:
    if isinstance(parent, dict):
        return {**parent, last: value}
    index = len(parent) if last == "-" else _index(parent, last, adding=True)
    return [*parent[:index], value, *parent[index:]]


def _without(parent: Any, last: str) -> Any:
    if isinstance(parent, dict):
        if last not in parent:
            raise _DoesNotFit(f"Unable to remove nonexistent key: {last}: missing value")
        return {key: value for key, value in parent.items() if key != last}
    index = _index(parent, last)
    return [*parent[:index], *parent[index + 1 :]]


def _index(items: list[Any], text: str, *, adding: bool = False) -> int:
    """A position in the list; negative ones count from the end, as upstream's library allows."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        raise _DoesNotFit(f"Unable to access invalid index: {text}")
    index = int(text)
    size = len(items) + (1 if adding else 0)
    if not -size <= index < size:
        raise _DoesNotFit(f"Unable to access invalid index: {text}: invalid index referenced")
    return index + size if index < 0 else index


def _equal(left: Any, right: Any) -> bool:
    """JSON equality: `1 == 1.0`, but never `true == 1`."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_equal(a, b) for a, b in zip(left, right, strict=True))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
