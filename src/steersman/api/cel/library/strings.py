"""Functions of strings: those of the language, and cel-go's strings extension.

Positions are of characters. Source: the CEL specification; cel-go's ext/strings.go.
"""

from collections.abc import Callable
from typing import Any

from steersman.api.cel import types
from steersman.api.cel.functions import Functions, member, plain
from steersman.api.cel.library import formatting
from steersman.api.cel.types import BOOL, DYN, INT, STRING
from steersman.api.cel.values import EvalError
from steersman.meta import patterns

_STRINGS = types.list_of(STRING)
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_SPACE = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def matches(text: str, expression: str) -> bool:
    try:
        return patterns.compiled(expression).search(text) is not None
    except patterns.Unsupported as wrong:
        raise EvalError(str(wrong)) from None


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise EvalError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if (part and not 0 <= start <= len(text)) or start < 0:
        raise EvalError(f"index out of range: {start}")
    return text.find(part, start) if part else start


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part)
    if not 0 <= start < max(len(text), 1):
        raise EvalError(f"index out of range: {start}")
    return text.rfind(part, 0, start + len(part)) if part else start


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is None:
        end = len(text)
        if not 0 <= start <= end:
            raise EvalError(f"index out of range: {start}")
        return text[start:]
    if start > end:
        raise EvalError(f"invalid substring range. start: {start}, end: {end}")
    for index in (start, end):
        if not 0 <= index <= len(text):
            raise EvalError(f"index out of range: {index}")
    return text[start:end]


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        parts = list(text)
        return parts if limit < 0 or len(parts) <= limit else [*parts[: limit - 1], "".join(parts[limit - 1 :])]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit)


def _join(items: list[Any], separator: str = "") -> str:
    if not all(isinstance(item, str) for item in items):
        raise EvalError("no such overload")
    return separator.join(items)


_QUOTED = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip


def _quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(char, char) for char in text) + '"'


def _on_string(name: str, params: tuple[types.Type, ...], result: types.Type, call: Callable[..., Any]) -> Any:
    return member(name, (STRING, *params), result, call)


FUNCTIONS: Functions = {
    "contains": (_on_string("contains_string", (STRING,), BOOL, lambda text, part: part in text),),
    "startsWith": (_on_string("starts_with_string", (STRING,), BOOL, str.startswith),),
    "endsWith": (_on_string("ends_with_string", (STRING,), BOOL, str.endswith),),
    "matches": (
        plain("matches", (STRING, STRING), BOOL, matches),
        _on_string("matches_string", (STRING,), BOOL, matches),
    ),
    "charAt": (_on_string("string_char_at_int", (INT,), STRING, _char_at),),
    "indexOf": (
        _on_string("string_index_of_string", (STRING,), INT, _index_of),
        _on_string("string_index_of_string_int", (STRING, INT), INT, _index_of),
    ),
    "lastIndexOf": (
        _on_string("string_last_index_of_string", (STRING,), INT, _last_index_of),
        _on_string("string_last_index_of_string_int", (STRING, INT), INT, _last_index_of),
    ),
    "lowerAscii": (_on_string("string_lower_ascii", (), STRING, lambda text: text.translate(_LOWER)),),
    "upperAscii": (_on_string("string_upper_ascii", (), STRING, lambda text: text.translate(_UPPER)),),
    "replace": (
        _on_string("string_replace_string_string", (STRING, STRING), STRING, _replace),
        _on_string("string_replace_string_string_int", (STRING, STRING, INT), STRING, _replace),
    ),
    "split": (
        _on_string("string_split_string", (STRING,), _STRINGS, _split),
        _on_string("string_split_string_int", (STRING, INT), _STRINGS, _split),
    ),
    "substring": (
        _on_string("string_substring_int", (INT,), STRING, _substring),
        _on_string("string_substring_int_int", (INT, INT), STRING, _substring),
    ),
    "trim": (_on_string("string_trim", (), STRING, lambda text: text.strip(_SPACE)),),
    "reverse": (_on_string("string_reverse", (), STRING, lambda text: text[::-1]),),
    "join": (
        member("list_join", (_STRINGS,), STRING, _join),
        member("list_join_string", (_STRINGS, STRING), STRING, _join),
    ),
    "format": (_on_string("string_format", (types.list_of(DYN),), STRING, formatting.format),),
    "strings.quote": (plain("strings_quote", (STRING,), STRING, _quote),),
}
