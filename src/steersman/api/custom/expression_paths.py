"""`fieldPath` of rules: which field below a rule its error is about. Source: apiextensions' ValidFieldPath."""

import re

from steersman.meta.objects import Object

_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\['(?P<quoted>(?:[^'\\]|\\.)*)'\]")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


class Wrong(ValueError):
    """No path, or none to a field of the schema."""


def normalized(path: str, schema: Object) -> str:
    """As field paths write it: `spec.items`, `labels[key]`. Raises Wrong."""
    found = ""
    index = 0
    while index < len(path):
        step = _STEP.match(path, index)
        if step is None:
            raise Wrong(f"expected [ or . but got: {path[index:]}")
        name = step["name"] if step["name"] is not None else _unescaped(step["quoted"])
        properties, rest = schema.get("properties"), schema.get("additionalProperties")
        if properties is not None:
            if name not in properties:
                raise Wrong("does not refer to a valid field")
            schema = properties[name]
            found += f".{name}"
        elif isinstance(rest, dict):
            schema = rest
            found += f"[{name}]"
        else:
            raise Wrong("does not refer to a valid field")
        index = step.end()
    return found.removeprefix(".")


def _unescaped(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise Wrong(f"invalid string literal: invalid escape char {found[0]}")
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", character, text)
