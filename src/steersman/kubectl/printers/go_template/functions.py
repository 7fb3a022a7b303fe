"""The functions a template may call: Go's own, and kubectl's `exists` and `base64decode`.

Each takes values as `go_values` knows them, `INVALID` where Go has no value at all (a missing key).
"""

import base64
import binascii
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from steersman.kubectl.printers import go_format, go_values


class _Invalid:
    def __bool__(self) -> bool:
        return False


INVALID: Final = _Invalid()


class CallError(Exception):
    """A function refused its arguments."""


_BAD_TYPE = "invalid type for comparison"
_BAD_PAIR = "incompatible types for comparison"
_NO_PAIR = "missing argument for comparison"
_NO_TYPE = "reflect: call of reflect.Value.Type on zero Value"
_HTML = str.maketrans({'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "�"})
_JS = str.maketrans({
    "\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D",
})  # fmt: skip


def plain(value: Any) -> Any:
    """A missing value becomes nil when it is handed to a function that prints."""
    return None if value is INVALID else value


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "uint" if isinstance(value, go_values.Byte) else "int"
        case float():
            return "float"
        case complex():
            return "complex"
        case str():
            return "string"
    return ""


def equal(first: Any, *others: Any) -> bool:
    if not others:
        raise CallError(_NO_PAIR)
    return any(_same(first, other) for other in others)


def _same(left: Any, right: Any) -> bool:
    kinds = _kind(left), _kind(right)
    missing = [one for one in (left, right) if one is INVALID or one is None]
    if kinds[0] != kinds[1]:
        if sorted(kinds) != ["int", "uint"]:
            if not missing:
                raise CallError(_BAD_PAIR)
            return False
        return bool(left == right)
    if kinds[0]:
        return bool(left == right)
    if missing:
        return len(missing) == 2
    if isinstance(left, Mapping) != isinstance(right, Mapping):
        shown, kind = go_values.show(left), go_values.type_name(left)
        raise CallError(f"non-comparable types {shown}: {kind}, {go_values.type_name(right)}: {go_values.show(right)}")
    raise CallError(f"non-comparable type {go_format.sprintf('%s', [right])}: {go_values.type_name(right)}")


def not_equal(left: Any, right: Any) -> bool:
    return not equal(left, right)


def less(left: Any, right: Any) -> bool:
    kinds = _kind(left), _kind(right)
    if not all(kinds):
        raise CallError(_BAD_TYPE)
    if kinds[0] != kinds[1]:
        if sorted(kinds) != ["int", "uint"]:
            raise CallError(_BAD_PAIR)
    elif kinds[0] in ("bool", "complex"):
        raise CallError(_BAD_TYPE)
    if kinds[0] == "string":
        return bool(left.encode() < right.encode())
    return bool(left < right)


def less_or_equal(left: Any, right: Any) -> bool:
    return less(left, right) or equal(left, right)


def greater(left: Any, right: Any) -> bool:
    return not less_or_equal(left, right)


def greater_or_equal(left: Any, right: Any) -> bool:
    return not less(left, right)


def index(item: Any, *indexes: Any) -> Any:
    if item is INVALID or item is None:
        raise CallError("index of untyped nil")
    for key in indexes:
        if item is None:
            raise CallError("index of nil pointer")
        item = _element(item, key)
    return item


def _element(item: Any, key: Any) -> Any:
    match item:
        case str():
            data = item.encode()
            at = _position(key, len(data))
            if at == len(data):
                raise CallError("reflect: string index out of range")
            return go_values.Byte(data[at])
        case Mapping():
            if key is INVALID or key is None:
                raise CallError("value is nil; should be of type string")
            if not isinstance(key, str):
                raise CallError(f"value has type {go_values.type_name(key)}; should be string")
            return item.get(key)
        case list():
            at = _position(key, len(item))
            if at == len(item):
                raise CallError("reflect: slice index out of range")
            return item[at]
    raise CallError(f"can't index item of type {go_values.type_name(item)}")


def _position(key: Any, capacity: int) -> int:
    if key is INVALID or key is None:
        raise CallError("cannot index slice/array with nil")
    if isinstance(key, bool) or not isinstance(key, int):
        raise CallError(f"cannot index slice/array with type {go_values.type_name(key)}")
    if not 0 <= key <= capacity:
        raise CallError(f"index out of range: {int(key)}")
    return int(key)


def cut(item: Any, *indexes: Any) -> Any:
    """`slice`."""
    if item is INVALID or item is None:
        raise CallError("slice of untyped nil")
    if len(indexes) > 3:
        raise CallError(f"too many slice indexes: {len(indexes)}")
    if not isinstance(item, str | list):
        raise CallError(f"can't slice item of type {go_values.type_name(item)}")
    if isinstance(item, str) and len(indexes) == 3:
        raise CallError("cannot 3-index slice a string")
    whole: Any = item.encode() if isinstance(item, str) else item
    bounds = [_position(key, len(whole)) for key in indexes]
    start, end, *most = [*bounds, *([0, len(whole)][len(bounds) :])]
    if start > end:
        raise CallError(f"invalid slice index: {start} > {end}")
    if most and end > most[0]:
        raise CallError(f"invalid slice index: {end} > {most[0]}")
    part = whole[start:end]
    return part.decode("utf-8", "surrogateescape") if isinstance(part, bytes) else part


def length(item: Any) -> int:
    if item is INVALID:
        raise CallError(_NO_TYPE)
    if item is None:
        raise CallError("len of nil pointer")
    if isinstance(item, str):
        return go_values.Int(len(item.encode("utf-8", "surrogateescape")))
    if isinstance(item, list | Mapping):
        return go_values.Int(len(item))
    raise CallError(f"len of type {go_values.type_name(item)}")


def negate(value: Any) -> bool:
    return not value


def print_(*values: Any) -> str:
    return go_values.show_all(values)


def println(*values: Any) -> str:
    return " ".join(map(go_values.show, values)) + "\n"


def printf(text: str, *values: Any) -> str:
    return go_format.sprintf(text, values)


def html(*values: Any) -> str:
    return _evaluated(values).translate(_HTML)


def js(*values: Any) -> str:
    return "".join(map(_js_char, _evaluated(values)))


def _js_char(char: str) -> str:
    if ord(char) in _JS:
        return str(_JS[ord(char)])
    if char < " " or (not char.isascii() and not char.isprintable()):
        return f"\\u{ord(char):04X}"
    return char


def url_query(*values: Any) -> str:
    return urllib.parse.quote_plus(_evaluated(values), safe="~")


def _evaluated(values: Sequence[Any]) -> str:
    return go_values.show_all(["<no value>" if value is None else value for value in values])


def call(name: str, function: Any) -> Any:
    """Nothing in JSON can be called."""
    if function is INVALID or function is None:
        raise CallError("call of nil")
    raise CallError(f"non-function {name} of type {go_values.type_name(function)}")


def exists(item: Any, *indexes: Any) -> bool:
    """Whether `index` would find something."""
    for key in indexes:
        match item:
            case Mapping() if isinstance(key, str):
                item = item.get(key)
            case str() | list() if isinstance(key, int) and not isinstance(key, bool):
                data: Any = item.encode() if isinstance(item, str) else item
                if not 0 <= key < len(data):
                    return False
                item = data[key]
            case _:
                return False
    return item is not None


def base64_decode(text: str) -> str:
    bare = text.replace("\n", "").replace("\r", "")
    try:
        return base64.b64decode(bare, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        raise CallError(f"base64 decode failed: illegal base64 data at input byte {_illegal(bare)}") from None


def _illegal(text: str) -> int:
    """Where Go's decoder stops."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for at, char in enumerate(text):
        if char not in alphabet:
            rest = text[at:]
            padding = {2: "==", 3: "="}.get(at % 4)
            if padding is None or not rest.startswith("="):
                return at
            if rest == padding:
                return at
            if not rest.startswith(padding):
                return at + 1 if len(rest) > 1 else len(text)
            return at + len(padding)
    return len(text) - len(text) % 4


# What each takes: how many arguments at the least, at the most (None: any number), whether a missing value reaches it as
# nil (functions that print) or as no value at all, and which parameters must be strings.
Signature = tuple[Callable[..., Any], int, int | None, bool, bool]
FUNCTIONS: dict[str, Signature] = {
    "and": (lambda *values: values[-1], 1, None, False, False),
    "or": (lambda *values: values[-1], 1, None, False, False),
    "not": (negate, 1, 1, False, False),
    "eq": (equal, 1, None, False, False),
    "ne": (not_equal, 2, 2, False, False),
    "lt": (less, 2, 2, False, False),
    "le": (less_or_equal, 2, 2, False, False),
    "gt": (greater, 2, 2, False, False),
    "ge": (greater_or_equal, 2, 2, False, False),
    "index": (index, 1, None, False, False),
    "slice": (cut, 1, None, False, False),
    "len": (length, 1, 1, False, False),
    "call": (call, 1, None, False, False),
    "print": (print_, 0, None, True, False),
    "println": (println, 0, None, True, False),
    "printf": (printf, 1, None, True, True),
    "html": (html, 0, None, True, False),
    "js": (js, 0, None, True, False),
    "urlquery": (url_query, 0, None, True, False),
    "exists": (exists, 1, None, True, False),
    "base64decode": (base64_decode, 1, 1, True, True),
}
