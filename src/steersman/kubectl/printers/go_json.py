"""JSON as Go's encoding/json writes it: sorted keys, `<`, `>` and `&` escaped, floats in Go's form."""

from collections.abc import Callable
from json.encoder import encode_basestring as quoted
from typing import Any

from steersman.kubectl.go_numbers import json_float

# As encoding/json writes text that might stand in a web page.
_ESCAPES = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


def dumps(value: Any, indent: int | None = None, *, sort_keys: bool = True) -> str:
    """`json.Marshal`, or with an indent `json.MarshalIndent`."""
    out: list[str] = []
    if indent is None:
        _write(value, out.append, "", "", ":", sort_keys)
    else:
        _write(value, out.append, "\n", " " * indent, ": ", sort_keys)
    text = "".join(out)
    for char, escape in _ESCAPES:
        text = text.replace(char, escape)
    return text


def _write(value: Any, append: Callable[[str], None], line: str, indent: str, colon: str, sort_keys: bool) -> None:
    """`line` begins a line at the depth of the value; nothing where all stands in one."""
    if isinstance(value, dict) and value:
        inner = line + indent
        before = "{" + inner
        for key in sorted(value) if sort_keys else value:
            one = value[key]
            if one.__class__ is str:  # most values are texts, and a call for each would take half of the time
                append(before + quoted(key) + colon + quoted(one))
            else:
                append(before + quoted(key) + colon)
                _write(one, append, inner, indent, colon, sort_keys)
            before = "," + inner
        append(line + "}")
    elif isinstance(value, list) and value:
        inner = line + indent
        before = "[" + inner
        for one in value:
            append(before)
            _write(one, append, inner, indent, colon, sort_keys)
            before = "," + inner
        append(line + "]")
    else:
        append(_scalar(value))


def _scalar(value: Any) -> str:
    match value:
        case str():
            return quoted(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return json_float(value)
    return "{}" if isinstance(value, dict) else "[]"
