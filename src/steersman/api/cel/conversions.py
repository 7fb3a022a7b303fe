"""From one type to another: `int("3")`, `string(duration)`, `timestamp("…")`; and how numbers are written.

Source: the CEL specification, "Type conversions"; texts of errors are cel-go's.
"""

import datetime
import re
from collections.abc import Callable
from typing import Any

from steersman.api.cel import types
from steersman.api.cel.functions import Functions, Overload, plain
from steersman.api.cel.operators import natural, whole
from steersman.api.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, Type
from steersman.api.cel.values import INT_MAX, INT_MIN, NANOS, Duration, EvalError, Timestamp, Uint

_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
).fullmatch
_DURATION = re.compile(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)", re.ASCII).fullmatch
_PART = re.compile(r"(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 10**6,
    "s": NANOS,
    "m": 60 * NANOS,
    "h": 3600 * NANOS,
}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _error(source: str, wanted: str) -> EvalError:
    return EvalError(f"type conversion error from '{source}' to '{wanted}'")


def parse_duration(text: str) -> Duration:
    """Go's syntax. Raises EvalError."""
    found = _DURATION(text)
    if found is None:
        raise _error("string", "google.protobuf.Duration")
    nanos = 0
    for before, after, unit in _PART.findall(found[2]):
        nanos += int(before or "0") * _UNITS[unit] + int(after or "0") * _UNITS[unit] // 10 ** len(after)
    return Duration(-nanos if found[1] == "-" else nanos)


def parse_timestamp(text: str) -> Timestamp:
    """RFC 3339, with as many digits of a second as nanoseconds have. Raises EvalError."""
    found = _RFC3339(text)
    if found is None:
        raise _error("string", "google.protobuf.Timestamp")
    try:
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        at = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:
        raise _error("string", "google.protobuf.Timestamp") from None
    since = at - _EPOCH
    seconds = since.days * 86400 + since.seconds
    offset = int(f"{found[8]}1") * (int(found[9]) * 60 + int(found[10])) if found[8] else 0
    return Timestamp((seconds - offset * 60) * NANOS + int((found[7] or "")[:9].ljust(9, "0")), offset)


def shown_double(value: float) -> str:
    """Go's `%g`: the shortest text that means this number, with an exponent from a million on and below a ten thousandth."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if str(value).startswith("-") else "0"
    digits, exponent = _shortest(abs(value))
    sign = "-" if value < 0 else ""
    if exponent < -4 or exponent >= 6:
        rest = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    if len(digits) <= exponent + 1:
        return sign + digits.ljust(exponent + 1, "0")
    return f"{sign}{digits[: exponent + 1]}.{digits[exponent + 1 :]}"


def _shortest(value: float) -> tuple[str, int]:
    """Digits without a point, and the power of ten of the first."""
    mantissa, _, power = repr(value).partition("e")
    before, _, after = mantissa.partition(".")
    after = "" if after == "0" else after
    digits = before + after
    stripped = digits.lstrip("0")
    exponent = len(before) - 1 - (len(digits) - len(stripped)) + int(power or "0")
    return stripped.rstrip("0") or "0", exponent


def _int_of_double(value: float) -> int:
    if value != value or not INT_MIN < value < INT_MAX:
        raise EvalError("integer overflow")
    return int(value)


def _uint_of_double(value: float) -> Uint:
    if value != value or not 0 <= value < 2**64:
        raise EvalError("unsigned integer overflow")
    return Uint(value)


def _read(wanted: str, read: Callable[[str], Any], pattern: str) -> Callable[[str], Any]:
    fits = re.compile(pattern, re.ASCII).fullmatch

    def convert(text: str) -> Any:
        if not fits(text):
            raise _error("string", wanted)
        try:
            return read(text)
        except (ValueError, OverflowError, EvalError):
            raise _error("string", wanted) from None

    return convert


def _bool(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise _error("string", "bool")


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvalError("invalid UTF-8 in bytes, cannot convert to string") from None


def _same(value: Any) -> Any:
    return value


def _to(wanted: str, result: Type, *sources: tuple[str, Type, Callable[[Any], Any]]) -> tuple[Overload, ...]:
    return tuple(plain(f"{name}_to_{wanted}", (source,), result, call) for name, source, call in sources)


_FLOAT = r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|[iI][nN][fF]([iI][nN][iI][tT][yY])?)|[nN][aA][nN]"

FUNCTIONS: Functions = {
    "dyn": (plain("to_dyn", (types.parameter("A"),), DYN, _same),),
    "bool": _to("bool", BOOL, ("bool", BOOL, _same), ("string", STRING, _bool)),
    "bytes": _to("bytes", BYTES, ("bytes", BYTES, _same), ("string", STRING, str.encode)),
    "double": _to(
        "double",
        DOUBLE,
        ("double", DOUBLE, _same),
        ("int64", INT, float),
        ("string", STRING, _read("double", float, _FLOAT)),
        ("uint64", UINT, float),
    ),
    "int": _to(
        "int64",
        INT,
        ("int64", INT, _same),
        ("double", DOUBLE, _int_of_double),
        ("duration", DURATION, lambda value: value.nanos),
        ("string", STRING, _read("int", lambda text: whole(int(text)), r"[+-]?\d+")),
        ("timestamp", TIMESTAMP, lambda value: value.nanos // NANOS),
        ("uint64", UINT, lambda value: whole(int(value))),
    ),
    "uint": _to(
        "uint64",
        UINT,
        ("uint64", UINT, _same),
        ("double", DOUBLE, _uint_of_double),
        ("int64", INT, natural),
        ("string", STRING, _read("uint", lambda text: natural(int(text)), r"\d+")),
    ),
    "string": _to(
        "string",
        STRING,
        ("string", STRING, _same),
        ("bool", BOOL, lambda value: "true" if value else "false"),
        ("bytes", BYTES, _decoded),
        ("double", DOUBLE, shown_double),
        ("duration", DURATION, str),
        ("int64", INT, str),
        ("timestamp", TIMESTAMP, str),
        ("uint64", UINT, lambda value: str(int(value))),
    ),
    "duration": _to(
        "duration",
        DURATION,
        ("duration", DURATION, _same),
        ("string", STRING, parse_duration),
        ("int64", INT, Duration),
    ),
    "timestamp": _to(
        "timestamp",
        TIMESTAMP,
        ("timestamp", TIMESTAMP, _same),
        ("string", STRING, parse_timestamp),
        ("int64", INT, lambda value: Timestamp(value * NANOS)),
    ),
}
