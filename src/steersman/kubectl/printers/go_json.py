"""JSON as Go's encoding/json writes it: sorted keys, `<`, `>` and `&` escaped, floats in Go's form."""

from typing import Any

import orjson

from steersman.kubectl.printers import go_values

_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_PLAIN_MIN, _PLAIN_MAX = -6, 21  # powers of ten of floats that Go writes without an exponent


def dumps(value: Any) -> str:
    """`json.Marshal`."""
    return orjson.dumps(_numbers(value), option=orjson.OPT_SORT_KEYS).decode().translate(_ESCAPED)


def dumps_indented(value: Any, indent: int) -> str:
    """`json.MarshalIndent`."""
    return _indented(value, " " * indent, "\n")


def _indented(value: Any, indent: str, line: str) -> str:
    inner = line + indent
    match value:
        case dict() if value:
            pairs = (f"{inner}{dumps(key)}: {_indented(one, indent, inner)}" for key, one in sorted(value.items()))
            return f"{{{','.join(pairs)}{line}}}"
        case list() if value:
            return f"[{','.join(inner + _indented(one, indent, inner) for one in value)}{line}]"
    return dumps(value)


def _numbers(value: Any) -> Any:
    match value:
        case dict():
            return {key: _numbers(one) for key, one in value.items()}
        case list():
            return [_numbers(one) for one in value]
        case float():
            return _float(value)
    return int(value) if isinstance(value, go_values.Byte | go_values.Int) else value


def _float(value: float) -> Any:
    digits, exponent = go_values.shortest(value)
    if not _PLAIN_MIN <= exponent < _PLAIN_MAX:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return orjson.Fragment(f"{'-' if value < 0 else ''}{digits[0]}{fraction}e{exponent:+}")
    return int(value) if value.is_integer() else value
