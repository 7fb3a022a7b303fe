"""kubectl's JSONPath templates to trees: text, and paths in braces. Source: client-go's util/jsonpath.

It is a language of its own: `range` and `end`, strings in either quotes, filters, unions, slices with a step.
"""

import dataclasses
import re

from steersman.kubectl.printers import go_values

LEFT, RIGHT = "{", "}"
_KEY = re.compile(r"'([^']*)'")
_SLICE = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?", re.ASCII)
_COMPARISON = re.compile(r"([^!<>=]+)([!<>=]+)(.+)")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_TERMINATORS = " \t\r\n.,[]$@{}"


class ParseError(Exception):
    """What is wrong with the text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Constant:
    """A number or a boolean."""

    value: bool | int | float


@dataclasses.dataclass(frozen=True, slots=True)
class Identifier:
    """`range` or `end`."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Array:
    """`[start:end:step]`; `end_is_derived` for a single index."""

    start: int | None
    end: int | None
    step: int | None
    end_is_derived: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Wildcard:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Recursive:
    pass


@dataclasses.dataclass(slots=True)
class Listing:
    nodes: list["Node"] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Union:
    parts: tuple[Listing, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    left: Listing
    operator: str
    right: Listing


Node = Text | Constant | Identifier | Field | Array | Wildcard | Recursive | Union | Filter | Listing


def parse(text: str) -> Listing:
    """Raises ParseError."""
    return _Parser(text).whole()


def _inside(text: str) -> Listing:
    """A part of an action, as if it stood in braces alone."""
    first = parse(f"{LEFT}{text}{RIGHT}").nodes[0]
    assert isinstance(first, Listing)
    return first


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._start = 0

    def whole(self) -> Listing:
        root = Listing()
        while self._at < len(self._text):
            left = self._text.find(LEFT, self._at)
            end = len(self._text) if left < 0 else left
            if end > self._at:
                root.nodes.append(Text(self._text[self._at : end]))
            self._at = end
            if left >= 0:
                self._at = self._start = left + len(LEFT)
                action = Listing()
                root.nodes.append(action)
                self._action(action.nodes)
        return root

    def _take(self) -> str:
        taken = self._text[self._start : self._at]
        self._start = self._at
        return taken

    def _next(self) -> str:
        """The next character; nothing at the end."""
        char = self._text[self._at : self._at + 1]
        self._at += len(char)
        return char

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _action(self, nodes: list[Node]) -> None:
        while not self._text.startswith(RIGHT, self._at):
            self._part(nodes)
            self._start = self._at
        self._at += len(RIGHT)
        self._start = self._at

    def _part(self, nodes: list[Node]) -> None:
        if self._text.startswith("[?(", self._at):
            return self._filter(nodes)
        if self._text.startswith("..", self._at):
            return self._recursive(nodes)
        char = self._next()
        if char in ("", "\r", "\n"):
            raise ParseError("unclosed action")
        if char in " @$":
            return None
        if char == "[":
            return self._array(nodes)
        if char in "\"'":
            return self._quoted(nodes, char)
        if char == ".":
            return self._field(nodes)
        if char in "+-" or char.isdigit():
            self._at -= 1
            return self._number(nodes)
        if _is_word(char):
            return self._identifier(nodes)
        shown = f" '{char}'" if char.isprintable() else ""
        raise ParseError(f"unrecognized character in action: U+{ord(char):04X}{shown}")

    def _identifier(self, nodes: list[Node]) -> None:
        while self._peek() and self._peek() not in _TERMINATORS:
            self._at += 1
        word = self._take()
        nodes.append(Constant(word == "true") if word in ("true", "false") else Identifier(word))

    def _recursive(self, nodes: list[Node]) -> None:
        if nodes and isinstance(nodes[-1], Recursive):
            raise ParseError("invalid multiple recursive descent")
        self._at += len("..")
        nodes.append(Recursive())
        if _is_word(self._peek()):
            self._field(nodes)

    def _number(self, nodes: list[Node]) -> None:
        if self._peek() in ("+", "-"):
            self._at += 1
        while self._peek() and (self._peek() == "." or self._peek().isdigit()):
            self._at += 1
        text = self._take()
        try:
            nodes.append(Constant(go_values.Int(text) if _INTEGER.fullmatch(text) else float(text)))
        except ValueError:
            raise ParseError(f"cannot parse number {text}") from None

    def _array(self, nodes: list[Node]) -> None:
        end = self._text.find("]", self._at)
        if end < 0 or "\n" in self._text[self._at : end]:
            raise ParseError("unterminated array")
        self._at = end + 1
        inner = self._take()[1:-1]
        if inner == "*":
            inner = ":"
        parts = inner.split(",")
        if len(parts) > 1:
            nodes.append(Union(tuple(_inside(f"[{part.strip(' ')}]") for part in parts)))
        elif found := _KEY.fullmatch(inner):
            nodes.extend(_inside(f".{found[1]}").nodes)
        else:
            nodes.append(_slice(inner))

    def _filter(self, nodes: list[Node]) -> None:
        self._at = self._start = self._at + len("[?(")
        mark, opened, closed = "", False, False
        while True:
            char = self._next()
            if char in ("", "\n"):
                raise ParseError("unterminated filter")
            if char in "\"'":
                if not opened:
                    opened, mark = True, char
                elif self._text[self._at - 2] != "\\" and char == mark:
                    closed = True
            elif char == ")" and opened == closed:
                break
        if self._next() != "]":
            raise ParseError("unclosed array expect ]")
        text = self._take()[: -len(")]")]
        found = _COMPARISON.fullmatch(text)
        if found is None:
            nodes.append(Filter(_inside(text), "exists", Listing()))
        else:
            nodes.append(Filter(_inside(found[1]), found[2], _inside(found[3])))

    def _quoted(self, nodes: list[Node], mark: str) -> None:
        while True:
            char = self._next()
            if char in ("", "\n"):
                raise ParseError("unterminated quoted string")
            if char == mark and self._text[self._at - 2] != "\\":
                break
        text = self._take()
        try:
            nodes.append(Text(go_values.unescape(text[1:-1], mark)))
        except go_values.Malformed as wrong:
            raise ParseError(f"unquote string {text} error {wrong}") from None

    def _field(self, nodes: list[Node]) -> None:
        self._start = self._at
        while self._peek() and self._peek() not in _TERMINATORS:
            self._at += 2 if self._peek() == "\\" else 1
        self._at = min(self._at, len(self._text))
        name = self._take()
        nodes.append(Wildcard() if name == "*" else Field(name.replace("\\", "")))


def _is_word(char: str) -> bool:
    return char == "_" or char.isalpha() or char.isdecimal()


def _slice(text: str) -> Array:
    found = _SLICE.fullmatch(text)
    if found is None:
        raise ParseError(f"invalid array index {text}")
    first, second, third = found.groups()
    start = _index(first) if first else None
    if not second:
        return Array(start, (start or 0) + 1, None, end_is_derived=True)
    end = _index(second[1:]) if second[1:] else None
    return Array(start, end, _index(third[1:]) if third and third[1:] else None)


def _index(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ParseError(f"array index {text} is not a number") from None
