"""JSONPath as Kubernetes knows it, for printer columns, selectable fields and paths of the scale subresource.

Steps: `.name`, `['name']`, `[0]`, `[-1]`, `[1:3]`, `[*]`, `.*`, `..name`, `[?(@.type=="Ready")]`, unions `[0,2]`. A path is
compiled once to a list of steps, each from values to values. Source: "JSONPath Support" in the kubectl documentation.
"""

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

Step = Callable[[list[Any]], list[Any]]

_FILTER = re.compile(r"\s*@([^=!<>]*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.*?))?\s*", re.DOTALL)
_NAME = re.compile(r"[^.\[\]'\"(){}\s\\]+|(?:\\.)+")


class Malformed(ValueError):
    """Text that is no JSONPath; the message is what is wrong with it."""


@functools.lru_cache(maxsize=4096)
def compiled(text: str) -> "Path":
    """A path such as `.spec.replicas`. Raises Malformed."""
    return Path(text)


class Path:
    def __init__(self, text: str) -> None:
        self._steps = list(_steps(text.removeprefix("$")))

    def find(self, obj: Any) -> list[Any]:
        values = [obj]
        for step in self._steps:
            values = step(values)
        return values

    def first(self, obj: Any) -> Any:
        """The first value found; None where there is none."""
        found = self.find(obj)
        return found[0] if found else None


def shown(value: Any) -> str:
    """A value as text: scalars as they are, the rest as JSON."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float():
            return f"{value:g}"
        case dict() | list():
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return str(value)


def _steps(text: str) -> Iterator[Step]:
    index = 0
    while index < len(text):
        if text.startswith("..", index):
            yield _descend
            index += 2
            if index >= len(text):
                raise Malformed("the path ends with dots")
            if index < len(text) and text[index] != "[":
                name, index = _name(text, index)
                yield _every if name == "*" else _field(name)
        elif text[index] == ".":
            name, index = _name(text, index + 1)
            yield _every if name == "*" else _field(name)
        elif text[index] == "[":
            end = _closing(text, index)
            yield _bracket(text[index + 1 : end].strip())
            index = end + 1
        else:
            raise Malformed(f"unrecognized character in action: U+{ord(text[index]):04X} '{text[index]}'")


def _name(text: str, start: int) -> tuple[str, int]:
    parts, index = [], start
    while match := _NAME.match(text, index):
        parts.append(match[0])
        index = match.end()
    if not parts:
        raise Malformed("the path ends with a dot" if start >= len(text) else f"no field name at {text[start:]!r}")
    return re.sub(r"\\(.)", r"\1", "".join(parts)), index


def _closing(text: str, start: int) -> int:
    """The bracket that closes the one at `start`; those in quotes do not count."""
    depth, quote = 0, ""
    for index in range(start, len(text)):
        char = text[index]
        if quote:
            quote = "" if char == quote and text[index - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if not depth:
                return index
    raise Malformed("unterminated array" if not quote else "unterminated quoted string")


def _bracket(inner: str) -> Step:
    if inner == "*":
        return _every
    if inner.startswith("?"):
        return _filter(inner[1:].strip())
    parts = [part.strip() for part in inner.split(",")]
    if parts and all(re.fullmatch(r"'[^']*'|\"[^\"]*\"", part) for part in parts):
        return _union([_field(part[1:-1]) for part in parts])
    return _union([_slice(part) for part in parts])


def _slice(text: str) -> Step:
    if re.fullmatch(r"-?\d+", text):
        index = int(text)

        def at(values: list[Any]) -> list[Any]:
            return [one[index] for one in values if isinstance(one, list) and -len(one) <= index < len(one)]

        return at
    if not re.fullmatch(r"(-?\d*):(-?\d*)(:-?\d*)?", text) or text.endswith(":0"):
        raise Malformed(f"invalid array index {text}")
    bounds = slice(*(int(part) if part else None for part in text.split(":")))
    return lambda values: [item for one in values if isinstance(one, list) for item in one[bounds]]


def _union(steps: list[Step]) -> Step:
    return steps[0] if len(steps) == 1 else lambda values: [item for step in steps for item in step(values)]


def _field(name: str) -> Step:
    return lambda values: [one[name] for one in values if one.__class__ is dict and name in one]


def _every(values: list[Any]) -> list[Any]:
    return [
        item
        for one in values
        for item in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
    ]


def _descend(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for one in values:
        found.append(one)
        found += _descend(_every([one]))
    return found


def _filter(text: str) -> Step:
    match = _FILTER.fullmatch(text[1:-1]) if text.startswith("(") and text.endswith(")") else None
    if match is None:
        raise Malformed(f"unsupported filter {text}")
    left = Path(match[1].strip())
    if match[2] is None:
        return lambda values: [item for item in _every(values) if left.find(item)]
    compare, right = _COMPARISONS[match[2]], _operand(match[3])

    def select(values: list[Any]) -> list[Any]:
        return [item for item in _every(values) if (found := left.find(item)) and _compares(compare, found[0], right)]

    return select


def _operand(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Malformed(f"unsupported operand {text}") from None


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _compares(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    try:
        return compare(left, right)
    except TypeError:
        return False
