"""Template text to tokens: text, delimiters with their trim markers, and what stands between them."""

import dataclasses
import enum
import re
from collections.abc import Iterator

from steersman.kubectl.printers import go_values

LEFT, RIGHT = "{{", "}}"
_COMMENT_LEFT, _COMMENT_RIGHT = "/*", "*/"
_SPACES = " \t\r\n"
_TEXT_SHOWN_MAX = 10  # characters of a token that an error repeats


class Type(enum.Enum):
    ERROR = enum.auto()
    BOOL = enum.auto()
    CHAR = enum.auto()
    CHAR_CONSTANT = enum.auto()
    COMPLEX = enum.auto()
    ASSIGN = enum.auto()
    DECLARE = enum.auto()
    EOF = enum.auto()
    FIELD = enum.auto()
    IDENTIFIER = enum.auto()
    LEFT_DELIM = enum.auto()
    LEFT_PAREN = enum.auto()
    NUMBER = enum.auto()
    PIPE = enum.auto()
    RAW_STRING = enum.auto()
    RIGHT_DELIM = enum.auto()
    RIGHT_PAREN = enum.auto()
    SPACE = enum.auto()
    STRING = enum.auto()
    TEXT = enum.auto()
    VARIABLE = enum.auto()
    KEYWORD = enum.auto()
    DOT = enum.auto()
    NIL = enum.auto()


KEYWORDS = frozenset(("block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"))


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    type: Type
    position: int
    text: str
    line: int

    def __str__(self) -> str:
        """As an error names it."""
        match self.type:
            case Type.EOF:
                return "EOF"
            case Type.ERROR:
                return self.text
            case Type.KEYWORD | Type.DOT | Type.NIL:
                return f"<{self.text}>"
        if len(self.text.encode()) > _TEXT_SHOWN_MAX:
            return go_values.quote(self.text[:_TEXT_SHOWN_MAX]) + "..."
        return go_values.quote(self.text)

    def is_keyword(self, word: str) -> bool:
        return self.type is Type.KEYWORD and self.text == word


class _Error(Exception):
    """What is wrong at the place where the token began."""


_WORD = re.compile(r"\w*")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*|0[bB][01_]*"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)


def tokens(text: str) -> Iterator[Token]:
    """All tokens of a template; the last is EOF or ERROR."""
    lexer = _Lexer(text)
    try:
        yield from lexer.run()
    except _Error as wrong:
        yield lexer.token(Type.ERROR, str(wrong))


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._start = 0
        self._depth = 0

    def run(self) -> Iterator[Token]:
        while True:
            left = self._text.find(LEFT, self._at)
            if left < 0:
                self._at = len(self._text)
                if self._at > self._start:
                    yield self.token(Type.TEXT)
                yield self.token(Type.EOF)
                return
            content = self._text[self._start : left]
            trims = self._trims_left(left + len(LEFT))
            if trims:
                content = content.rstrip(_SPACES)
            self._at = self._start + len(content)
            if content:
                yield self.token(Type.TEXT)
            self._at = self._start = left
            yield from self._action(2 if trims else 0)

    def token(self, kind: Type, text: str | None = None) -> Token:
        shown = self._text[self._start : self._at] if text is None else text
        made = Token(kind, self._start, shown, 1 + self._text.count("\n", 0, self._start))
        self._start = self._at
        return made

    def _trims_left(self, at: int) -> bool:
        return self._text.startswith("-", at) and self._text[at + 1 : at + 2] in tuple(_SPACES)

    def _right_delimiter(self, at: int) -> tuple[bool, bool]:
        """Whether a closing delimiter stands there, and whether it trims what follows."""
        if self._text[at : at + 1] in tuple(_SPACES) and self._text.startswith("-" + RIGHT, at + 1):
            return True, True
        return self._text.startswith(RIGHT, at), False

    def _action(self, marker: int) -> Iterator[Token]:
        after = self._at + len(LEFT) + marker
        if self._text.startswith(_COMMENT_LEFT, after):
            self._comment(after)
            return
        self._at += len(LEFT)
        yield self.token(Type.LEFT_DELIM)
        self._at = self._start = after
        self._depth = 0
        while True:
            delimiter, trims = self._right_delimiter(self._at)
            if delimiter:
                if self._depth:
                    raise _Error("unclosed left paren")
                self._close(trims)
                self._at = self._start + len(RIGHT)
                yield self.token(Type.RIGHT_DELIM)
                if trims:
                    self._skip_spaces()
                return
            yield self._inside()

    def _comment(self, start: int) -> None:
        end = self._text.find(_COMMENT_RIGHT, start + len(_COMMENT_LEFT))
        if end < 0:
            raise _Error("unclosed comment")
        self._at = end + len(_COMMENT_RIGHT)
        delimiter, trims = self._right_delimiter(self._at)
        if not delimiter:
            raise _Error("comment ends before closing delimiter")
        self._close(trims)
        self._at = self._start = self._start + len(RIGHT)
        if trims:
            self._skip_spaces()

    def _close(self, trims: bool) -> None:
        self._at += 2 if trims else 0
        self._start = self._at

    def _skip_spaces(self) -> None:
        while self._text[self._at : self._at + 1] in tuple(_SPACES):
            self._at += 1
        self._start = self._at

    def _inside(self) -> Token:
        char = self._text[self._at : self._at + 1]
        if char == "":
            raise _Error("unclosed action")
        following = self._text[self._at + 1 : self._at + 2]
        if char in _SPACES:
            return self._space()
        if char == ":" and following != "=":
            raise _Error("expected :=")
        if char == "." and not following.isascii():
            return self._field()
        if char == "." and not ("0" <= following <= "9"):
            return self._field() if following else self._one(Type.DOT)
        if char in "+-." or "0" <= char <= "9":
            return self._number()
        if char == "_" or char.isalnum():
            return self._word()
        return self._punctuation(char)

    def _punctuation(self, char: str) -> Token:
        match char:
            case "=":
                return self._one(Type.ASSIGN)
            case ":":
                self._at += 2
                return self.token(Type.DECLARE)
            case "|":
                return self._one(Type.PIPE)
            case '"':
                return self._quoted('"', Type.STRING, "unterminated quoted string")
            case "'":
                return self._quoted("'", Type.CHAR_CONSTANT, "unterminated character constant")
            case "`":
                return self._raw()
            case "$":
                return self._variable()
            case "(":
                self._depth += 1
                return self._one(Type.LEFT_PAREN)
            case ")":
                self._depth -= 1
                if self._depth < 0:
                    raise _Error("unexpected right paren")
                return self._one(Type.RIGHT_PAREN)
        if char.isascii() and char.isprintable():
            return self._one(Type.CHAR)
        raise _Error(f"unrecognized character in action: {_code_point(char)}")

    def _one(self, kind: Type) -> Token:
        self._at += 1
        return self.token(kind)

    def _space(self) -> Token:
        while self._text[self._at : self._at + 1] in tuple(_SPACES):
            if self._right_delimiter(self._at)[1] and self._at > self._start:
                break
            self._at += 1
        return self.token(Type.SPACE)

    def _ends(self, at: int) -> bool:
        char = self._text[at : at + 1]
        return char == "" or char in _SPACES or char in ".,|:)(" or char == RIGHT[0]

    def _checked(self, kind: Type) -> Token:
        if not self._ends(self._at):
            raise _Error(f"bad character {_code_point(self._text[self._at])}")
        return self.token(kind)

    def _field(self) -> Token:
        self._at += 1
        if self._ends(self._at):
            return self.token(Type.DOT)
        self._at = self._word_end()
        return self._checked(Type.FIELD)

    def _variable(self) -> Token:
        self._at += 1
        if not self._ends(self._at):
            self._at = self._word_end()
        return self._checked(Type.VARIABLE)

    def _word_end(self) -> int:
        found = _WORD.match(self._text, self._at)
        return found.end() if found else self._at

    def _word(self) -> Token:
        self._at = self._word_end()
        word = self._text[self._start : self._at]
        if word in KEYWORDS:
            return self._checked(Type.KEYWORD)
        if word == "nil":
            return self._checked(Type.NIL)
        return self._checked(Type.BOOL if word in ("true", "false") else Type.IDENTIFIER)

    def _number(self) -> Token:
        self._scan_number()
        if self._text[self._at : self._at + 1] in ("+", "-"):
            self._scan_number()
            if not self._text[self._start : self._at].endswith("i"):
                raise _Error(f"bad number syntax: {go_values.quote(self._text[self._start : self._at])}")
            return self.token(Type.COMPLEX)
        return self.token(Type.NUMBER)

    def _scan_number(self) -> None:
        found = _NUMBER.match(self._text, self._at)
        self._at = found.end() if found else self._at
        following = self._text[self._at : self._at + 1]
        if following and (following == "_" or following.isalnum()):
            self._at += 1
            raise _Error(f"bad number syntax: {go_values.quote(self._text[self._start : self._at])}")

    def _quoted(self, mark: str, kind: Type, unfinished: str) -> Token:
        self._at += 1
        while True:
            char = self._text[self._at : self._at + 1]
            if char == "\\" and self._text[self._at + 1 : self._at + 2] not in ("", "\n"):
                self._at += 2
                continue
            if char in ("", "\n", "\\"):
                raise _Error(unfinished)
            self._at += 1
            if char == mark:
                return self.token(kind)

    def _raw(self) -> Token:
        end = self._text.find("`", self._at + 1)
        if end < 0:
            raise _Error("unterminated raw quoted string")
        self._at = end + 1
        return self.token(Type.RAW_STRING)


def _code_point(char: str) -> str:
    """`%#U`."""
    return f"U+{ord(char):04X}" + (f" '{char}'" if char.isprintable() else "")
