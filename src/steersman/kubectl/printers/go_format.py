"""`fmt.Sprintf`: verbs, flags, width and precision, argument indexes, and what Go prints for mistakes.

Source: the documentation of Go's package fmt.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steersman.kubectl.go_numbers import go_float
from steersman.kubectl.printers import go_values

_FLAGS = re.compile(r"[+\-# 0]*")
_INDEX = re.compile(r"\[([^\]]*)\]")
_DIGITS = re.compile(r"\d+")
_UINT64_MAX, _RUNE_DIGITS = 2**64 - 1, 4
_MOST = 1_000_000  # a width or precision beyond this is refused, as Go does


@dataclasses.dataclass(slots=True)
class _Spec:
    flags: str = ""
    width: int | None = None
    precision: int | None = None


def sprintf(text: str, arguments: Sequence[Any]) -> str:
    return _Run(text, arguments).result()


class _Run:
    """One format text being worked off."""

    def __init__(self, text: str, arguments: Sequence[Any]) -> None:
        self._text = text
        self._arguments = arguments
        self._at = 0
        self._next = 0
        self._reordered = False
        self._bad_index = False

    def result(self) -> str:
        parts: list[str] = []
        while self._at < len(self._text):
            percent = self._text.find("%", self._at)
            if percent < 0:
                parts.append(self._text[self._at :])
                break
            parts.append(self._text[self._at : percent])
            self._at = percent + 1
            parts.append(self._directive())
        if not self._reordered and self._next < len(self._arguments):
            extra = ", ".join(_typed(one) for one in self._arguments[self._next :])
            parts.append(f"%!(EXTRA {extra})")
        return "".join(parts)

    def _directive(self) -> str:
        self._bad_index = False
        spec, complaint = _Spec(self._match(_FLAGS)), ""
        self._argument_index()
        if self._peek("*"):
            spec.width = self._number_argument()
            if spec.width is None:
                complaint += "%!(BADWIDTH)"
            elif spec.width < 0:
                spec.width, spec.flags = -spec.width, spec.flags.replace("0", "") + "-"
        elif digits := self._match(_DIGITS):
            spec.width = int(digits)
        if self._peek("."):
            self._argument_index()
            if self._peek("*"):
                spec.precision = self._number_argument()
                if spec.precision is None or spec.precision < 0:
                    spec.precision, complaint = None, complaint + "%!(BADPREC)"
            else:
                spec.precision = int(self._match(_DIGITS) or 0)
        self._argument_index()
        if self._at >= len(self._text):
            return complaint + "%!(NOVERB)"
        verb = self._text[self._at]
        self._at += 1
        if verb == "%":
            return complaint + "%"
        if self._bad_index:
            return f"{complaint}%!{verb}(BADINDEX)"
        if self._next >= len(self._arguments):
            return f"{complaint}%!{verb}(MISSING)"
        self._next += 1
        return complaint + format_one(verb, spec, self._arguments[self._next - 1])

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _peek(self, char: str) -> bool:
        if self._text.startswith(char, self._at):
            self._at += 1
            return True
        return False

    def _argument_index(self) -> None:
        """`[2]`: which argument comes next."""
        if not self._text.startswith("[", self._at):
            return
        self._reordered = True
        found = _INDEX.match(self._text, self._at)
        if found is None:
            self._at += 1
            self._bad_index = True
            return
        self._at = found.end()
        if found[1].isdigit() and 1 <= int(found[1]) <= len(self._arguments):
            self._next = int(found[1]) - 1
        else:
            self._bad_index = True

    def _number_argument(self) -> int | None:
        if self._next >= len(self._arguments):
            return None
        value = self._arguments[self._next]
        self._next += 1
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST:
            return None
        return int(value)


def format_one(verb: str, spec: _Spec, value: Any) -> str:
    if verb == "T":
        return _string("s", spec, go_values.type_name(value)) if value is not None else _padded("<nil>", spec)
    if verb == "v":
        if "#" in spec.flags:
            return _padded(go_values.syntax(value), spec)
        spec = dataclasses.replace(spec, flags=spec.flags.replace("+", ""))  # `%+v` is about structs
    return _value(verb, spec, value)


def _value(verb: str, spec: _Spec, value: Any) -> str:
    match value:
        case None:
            return _padded("<nil>", spec) if verb == "v" else f"%!{verb}(<nil>)"
        case bool():
            return _padded(go_values.show(value), spec) if verb in "tv" else _bad(verb, spec, value)
        case int():
            return _integer(verb, spec, int(value), value)
        case float():
            return _float(verb, spec, value)
        case complex():
            return _complex(verb, spec, value)
        case str():
            return _string(verb, spec, value)
    if verb == "w":
        return _bad(verb, spec, value)
    if isinstance(value, Mapping):
        pairs = (f"{_value(verb, spec, key)}:{_value(verb, spec, one)}" for key, one in sorted(value.items()))
        return f"map[{' '.join(pairs)}]"
    return f"[{' '.join(_value(verb, spec, one) for one in value)}]"


def _typed(value: Any) -> str:
    return "<nil>" if value is None else f"{go_values.type_name(value)}={go_values.show(value)}"


def _bad(verb: str, spec: _Spec, value: Any) -> str:
    """A verb that the value's type has not: the value stands there by `%v`, with the same flags."""
    return f"%!{verb}({go_values.type_name(value)}={_value('v', spec, value)})"


def _padded(text: str, spec: _Spec) -> str:
    if spec.width is None:
        return text
    if "-" in spec.flags:
        return text.ljust(spec.width)
    return text.rjust(spec.width, "0" if "0" in spec.flags else " ")


_BASES: dict[str, tuple[Callable[[int], str], str]] = {
    "v": (str, ""),
    "d": (str, ""),
    "b": (lambda number: f"{number:b}", "0b"),
    "o": (lambda number: f"{number:o}", "0"),
    "O": (lambda number: f"{number:o}", ""),
    "x": (lambda number: f"{number:x}", "0x"),
    "X": (lambda number: f"{number:X}", "0X"),
}


def _integer(verb: str, spec: _Spec, number: int, value: Any) -> str:
    if verb in "cqU":
        return _rune(verb, spec, number)
    if verb not in _BASES:
        return _bad(verb, spec, value)
    write, prefix = _BASES[verb]
    digits = write(abs(number))
    sign = "-" if number < 0 else "+" if "+" in spec.flags else " " if " " in spec.flags else ""
    head = ("0o" if verb == "O" else "") + (prefix if "#" in spec.flags else "")
    if spec.precision is not None:
        digits = "" if spec.precision == 0 and number == 0 else digits.rjust(spec.precision, "0")
    elif "0" in spec.flags and "-" not in spec.flags and spec.width is not None:
        digits = digits.rjust(spec.width - len(sign), "0")
    return _spaced(sign + head + digits, spec)


def _rune(verb: str, spec: _Spec, number: int) -> str:
    char = chr(number) if 0 <= number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "�"
    if verb == "U":
        shown = f" '{char}'" if "#" in spec.flags and char.isprintable() else ""
        digits = f"{number & _UINT64_MAX:X}".rjust(max(_RUNE_DIGITS, spec.precision or 0), "0")
        return _spaced(f"U+{digits}{shown}", spec)
    return _padded(char if verb == "c" else go_values.quote(char, "'"), spec)


def _float(verb: str, spec: _Spec, value: float) -> str:
    if verb not in "vbeEfFgGxX":
        return _bad(verb, spec, value)
    text = _float_digits("g" if verb == "v" else verb, spec, value)
    if not text.startswith("-"):
        text = ("+" if "+" in spec.flags else " " if " " in spec.flags else "") + text
    if "0" in spec.flags and "-" not in spec.flags and spec.width is not None and math.isfinite(value):
        sign = text[:1] if text[:1] in "+- " else ""
        return sign + text[len(sign) :].rjust(spec.width - len(sign), "0")
    return _spaced(text, spec)


def _float_digits(verb: str, spec: _Spec, value: float) -> str:
    if not math.isfinite(value):
        return go_float(value).lstrip("+")
    if verb in "xX":
        text = _hexadecimal(value)
        return text.upper() if verb == "X" else text
    if verb == "b":
        mantissa, exponent = math.frexp(value)
        return f"{int(mantissa * 2**53)}p{exponent - 53:+d}"
    alternate = "#" if "#" in spec.flags else ""
    if verb in "gG" and spec.precision is None and not alternate:
        text = go_float(value)
        return text.upper() if verb == "G" else text
    precision = 6 if spec.precision is None else spec.precision
    return f"{value:{alternate}.{precision or 1 if verb in 'gG' else precision}{verb}}"


def _complex(verb: str, spec: _Spec, value: complex) -> str:
    if verb not in "vbgGxXfFeE":
        return _bad(verb, spec, value)
    signed = dataclasses.replace(spec, flags=spec.flags + "+")
    return f"({_float(verb, spec, value.real)}{_float(verb, signed, value.imag)}i)"


def _hexadecimal(value: float) -> str:
    """`0x1.cp+01`."""
    mantissa, _, power = value.hex().partition("p")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}{'.' + fraction if fraction else ''}p{power[0]}{power[1:].rjust(2, '0')}"


def _string(verb: str, spec: _Spec, value: str) -> str:
    cut = value if spec.precision is None else value[: spec.precision]
    if verb in "vs":
        return _padded(cut, spec)
    if verb == "q":
        if "#" in spec.flags and "`" not in cut and all(char == "\t" or char.isprintable() for char in cut):
            return _padded(f"`{cut}`", spec)
        quoted = go_values.quote(cut)
        return _padded(quoted if "+" not in spec.flags else _ascii(quoted), spec)
    if verb in "xX":
        data = value.encode("utf-8", "surrogateescape")[: spec.precision]
        digits = data.hex(" ") if " " in spec.flags else data.hex()
        if "#" in spec.flags and data:
            digits = "0x" + digits.replace(" ", " 0x")
        return _padded(digits.upper() if verb == "X" else digits, spec)
    return _bad(verb, spec, value)


def _ascii(quoted: str) -> str:
    return "".join(
        one if ord(one) < 0x80 else f"\\u{ord(one):04x}" if ord(one) < 0x10000 else f"\\U{ord(one):08x}"
        for one in quoted
    )


def _spaced(text: str, spec: _Spec) -> str:
    """Padded with spaces: zeros have been put in already."""
    return _padded(text, _Spec(spec.flags.replace("0", ""), spec.width))
