"""Values as Go's reflection sees them and as Go's fmt prints them, for the printers whose language is Go's own.

Plain Python values stand for what JSON decodes to in Go: dict is `map[string]interface {}`, list `[]interface {}`, int
`int64`, float `float64`, None a nil interface. `Int` and `Byte` are the two other integers a template can meet.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from steersman.kubectl.go_numbers import go_float

_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip
_UNESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}


class Int(int):
    """Go's `int`: a number in the template's text, a length or an index."""


class Byte(int):
    """Go's `uint8`: an element of a string."""


def type_name(value: Any) -> str:
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case Int():
            return "int"
        case Byte():
            return "uint8"
        case int():
            return "int64"
        case float():
            return "float64"
        case complex():
            return "complex128"
        case str():
            return "string"
        case Mapping():
            return "map[string]interface {}"
    return "[]interface {}"


def is_true(value: Any) -> bool:
    """Not the zero of its type."""
    return bool(value)


def show(value: Any) -> str:
    """`%v`."""
    match value:
        case str():
            return value
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return go_float(value)
        case complex():
            imaginary = go_float(value.imag)
            return f"({go_float(value.real)}{'' if imaginary[0] in '+-' else '+'}{imaginary}i)"
        case Mapping():
            return f"map[{' '.join(f'{key}:{show(one)}' for key, one in sorted(value.items()))}]"
    return f"[{' '.join(show(one) for one in value)}]"


def show_all(values: Sequence[Any]) -> str:
    """`fmt.Sprint`: a space between two operands of which neither is a string."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(show(value))
    return "".join(parts)


def syntax(value: Any) -> str:
    """`%#v`: the value as Go source."""
    match value:
        case None:
            return "interface {}(nil)"
        case str():
            return quote(value)
        case Mapping():
            inner = ", ".join(f"{quote(key)}:{syntax(one)}" for key, one in sorted(value.items()))
            return f"map[string]interface {{}}{{{inner}}}"
        case list() | tuple():
            return f"[]interface {{}}{{{', '.join(syntax(one) for one in value)}}}"
        case Byte():
            return f"0x{int(value):x}"
    return show(value)


def quote(text: str, mark: str = '"') -> str:
    """`strconv.Quote`."""
    return mark + "".join(_escaped(char, mark) for char in text) + mark


def _escaped(char: str, mark: str) -> str:
    if char == mark:
        return "\\" + char
    if char in _ESCAPES and char not in "\"'":
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # a byte that is no UTF-8
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Malformed(ValueError):
    """`invalid syntax`: text in quotes that Go cannot read."""

    def __init__(self) -> None:
        super().__init__("invalid syntax")


def unquote(text: str) -> str:
    """`strconv.Unquote` of text in double quotes or back quotes. Raises Malformed."""
    if len(text) < 2 or text[0] != text[-1]:
        raise Malformed
    if text[0] == "`":
        return text[1:-1].replace("\r", "")
    return unescape(text[1:-1], text[0])


def unescape(text: str, mark: str) -> str:
    """The inside of quoted text: `mark` may stand in it only behind a backslash. Raises Malformed."""
    if "\\" not in text and mark not in text:
        return text
    out: list[str] = []
    rest = text
    while rest:
        char, rest = unescape_one(rest, mark)
        out.append(char)
    return "".join(out)


def unescape_one(text: str, mark: str) -> tuple[str, str]:
    """The first character and what follows it. Raises Malformed."""
    char = text[0]
    if char == mark and mark in "'\"":
        raise Malformed
    if char != "\\":
        return char, text[1:]
    if len(text) < 2:
        raise Malformed
    kind = text[1]
    if kind in _UNESCAPES:
        return _UNESCAPES[kind], text[2:]
    if kind in "'\"":
        if kind != mark:
            raise Malformed
        return kind, text[2:]
    if kind in _HEX_DIGITS:
        end = 2 + _HEX_DIGITS[kind]
        return chr(_code(text[2:end], 16, _HEX_DIGITS[kind], 0x10FFFF)), text[end:]
    return chr(_code(text[1:4], 8, 3, 0xFF)), text[4:]


def _code(digits: str, base: int, length: int, most: int) -> int:
    allowed = "0123456789abcdefABCDEF" if base == 16 else "01234567"
    if len(digits) != length or any(digit not in allowed for digit in digits):
        raise Malformed
    code = int(digits, base)
    if code > most or 0xD800 <= code < 0xE000:
        raise Malformed
    return code
