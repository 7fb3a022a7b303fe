"""`"%d of %s".format([1, "two"])`. Source: cel-go's ext/formatting.go."""

import re
from typing import Any

from steersman.api.cel import conversions, values
from steersman.api.cel.values import Duration, EvalError, Timestamp, TypeValue, Uint

PRECISION_MAX = 100  # a figure with more digits is no figure for people
_CLAUSE = re.compile(r"%(%|(?:\.(\d+))?([a-zA-Z])|.|$)", re.DOTALL)


def format(text: str, args: list[Any]) -> str:  # noqa: A001 — the language's word
    """Raises EvalError."""
    used = 0

    def clause(found: re.Match[str]) -> str:
        nonlocal used
        if found[1] == "%":
            return "%"
        verb = found[3]
        if not verb:
            raise EvalError(
                "unexpected end of string" if not found[1] else f'unrecognized formatting clause "{found[1]}"'
            )
        if verb not in _VERBS:
            raise EvalError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')
        if used >= len(args):
            raise EvalError(f"index {used} out of range")
        precision = None if found[2] is None else int(found[2])
        if precision is not None and precision > PRECISION_MAX:
            raise EvalError(f"precision {precision} exceeds the maximum of {PRECISION_MAX}")
        used += 1
        return str(_VERBS[verb](args[used - 1], precision))

    return _CLAUSE.sub(clause, text)


def _wrong(verb: str, what: str, value: Any) -> EvalError:
    return EvalError(
        f"error during formatting: {verb} clause can only be used on {what}, was given {_shown_type(value)}"
    )


def _shown_type(value: Any) -> str:
    return values.type_name(value)


def _string(value: Any, precision: int | None = None) -> str:
    kind = value.__class__
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return _double(value)
    if kind in (int, Uint, Duration, Timestamp):
        return str(int(value) if kind is Uint else value)
    if value is None:
        return "null"
    if kind is bytes:
        return bytes(value).decode(errors="replace")
    if kind is TypeValue:
        return str(value.name)
    if isinstance(value, list):
        return "[" + ", ".join(map(_string, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{_string(key)}: {_string(item)}" for key, item in value.items())) + "}"
    raise _wrong("string", "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps", value)


def _double(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return conversions.shown_double(value)


def _decimal(value: Any, precision: int | None) -> str:
    if value.__class__ is float and (value != value or abs(value) == float("inf")):
        return _double(value)
    if value.__class__ not in (int, Uint):
        raise _wrong("decimal", "integers", value)
    return str(int(value))


def _fixed(value: Any, precision: int | None) -> str:
    if value.__class__ not in (float, int, Uint):
        raise _wrong("fixed-point", "doubles", value)
    number = float(value)
    if number != number or abs(number) == float("inf"):
        return _double(number)
    return f"{number:.{6 if precision is None else precision}f}"


def _scientific(value: Any, precision: int | None) -> str:
    if value.__class__ not in (float, int, Uint):
        raise _wrong("scientific", "doubles", value)
    number = float(value)
    if number != number or abs(number) == float("inf"):
        return _double(number)
    return f"{number:.{6 if precision is None else precision}e}"


def _binary(value: Any, precision: int | None) -> str:
    if value.__class__ not in (int, Uint, bool):
        raise _wrong("binary", "integers and bools", value)
    return f"{int(value):b}"


def _octal(value: Any, precision: int | None) -> str:
    if value.__class__ not in (int, Uint):
        raise _wrong("octal", "integers", value)
    return f"{int(value):o}"


def _hexadecimal(value: Any, precision: int | None) -> str:
    if value.__class__ is str:
        return str(value).encode().hex()
    if value.__class__ is bytes:
        return bytes(value).hex()
    if value.__class__ not in (int, Uint):
        raise _wrong("hex", "integers, byte buffers, and strings", value)
    return f"{int(value):x}"


def _upper_hexadecimal(value: Any, precision: int | None) -> str:
    return _hexadecimal(value, precision).upper()


_VERBS = {
    "s": _string,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "b": _binary,
    "o": _octal,
    "x": _hexadecimal,
    "X": _upper_hexadecimal,
}
