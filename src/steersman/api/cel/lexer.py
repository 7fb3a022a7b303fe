"""Text to tokens, and literals to values. Source: the grammar of the CEL specification."""

import re
from typing import Any, NamedTuple

from steersman.api.cel.source import Issue
from steersman.api.cel.values import Uint

INT_MAX, INT_MIN, UINT_MAX = 2**63 - 1, -(2**63), 2**64 - 1


class Token(NamedTuple):
    """`kind`: int, uint, double, string, bytes, ident, end, or the operator or keyword itself."""

    kind: str
    text: str
    offset: int
    value: Any = None


_STRING = r"""(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|"(?:[^"\\\n\r]|\\.)*"|'(?:[^'\\\n\r]|\\.)*')"""
_RAW = r"""(?:\"\"\"(?:.|\n)*?\"\"\"|'''(?:.|\n)*?'''|"[^"\n\r]*"|'[^'\n\r]*')"""
_TOKEN = re.compile(
    rf"""
    (?P<space>[\ \t\r\n\f]+|//[^\n]*)
    |(?P<raw>[bB]?[rR]{_RAW})
    |(?P<string>[bB]?{_STRING})
    |(?P<double>(?:[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?))
    |(?P<int>(?:0x[0-9a-fA-F]+|[0-9]+)[uU]?)
    |(?P<ident>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<operator>==|!=|<=|>=|&&|\|\||[-+*/%!<>()\[\]{{}}.,:?])
    """,
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS = frozenset(("in", "true", "false", "null"))
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "`": "`",
    "?": "?",
}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|X[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.DOTALL)


def tokens(text: str) -> tuple[list[Token], list[Issue]]:
    """Ends with a token `end`. What is no token is left out, as cel-go goes on after it."""
    found: list[Token] = []
    issues: list[Issue] = []
    offset = 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            shown = _unknown(text, offset)
            issues.append(Issue(offset, f"Syntax error: token recognition error at: '{_visible(shown)}'"))
            offset += len(shown)
            continue
        kind, piece = match.lastgroup or "", match[0]
        if kind != "space":
            try:
                found.append(_token(kind, piece, offset))
            except ValueError as wrong:
                issues.append(Issue(offset, str(wrong)))
        offset = match.end()
    found.append(Token("end", "<EOF>", len(text)))
    return found, issues


def _unknown(text: str, offset: int) -> str:
    """As far as cel-go's lexer looks before it gives up: to the end of a line in a text, one further after `=`, `&` and `|`."""
    if text[offset] in "'\"":
        end = text.find("\n", offset)
        return text[offset : end + 1 if end >= 0 else len(text)]
    return text[offset : offset + 2] if text[offset] in "=&|" else text[offset]


def _visible(text: str) -> str:
    return text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _token(kind: str, piece: str, offset: int) -> Token:
    if kind == "ident":
        return Token(piece if piece in _KEYWORDS else "ident", piece, offset)
    if kind == "operator":
        return Token(piece, piece, offset)
    if kind == "double":
        return Token("double", piece, offset, float(piece))
    if kind == "int":
        return _whole(piece, offset)
    return _quoted(piece, offset, is_raw=kind == "raw")


def _whole(piece: str, offset: int) -> Token:
    """A sign is not part of it, so the range is checked by the parser, which knows of a minus before it."""
    is_unsigned = piece[-1] in "uU"
    digits = piece[:-1] if is_unsigned else piece
    value = int(digits, 16) if digits.startswith("0x") else int(digits)
    if is_unsigned:
        if value > UINT_MAX:
            raise ValueError("invalid uint literal")
        return Token("uint", piece, offset, Uint(value))
    return Token("int", piece, offset, value)


def _quoted(piece: str, offset: int, *, is_raw: bool) -> Token:
    is_bytes = piece[0] in "bB"
    body = piece.lstrip("bBrR")
    width = 3 if body.startswith(('"""', "'''")) else 1
    body = body[width:-width].replace("\r\n", "\n").replace("\r", "\n")
    if is_bytes:
        return Token("bytes", piece, offset, body.encode() if is_raw else _bytes(body))
    return Token("string", piece, offset, body if is_raw else _ESCAPE.sub(_character, body))


def _character(match: re.Match[str]) -> str:
    what = match[1]
    if len(what) == 1:
        if what not in _SIMPLE:
            raise ValueError(f"Syntax error: token recognition error at: '\\{what}'")
        return _SIMPLE[what]
    code = int(what, 8) if what[0] in "0123" else int(what[1:], 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ValueError("invalid unicode code point")
    return chr(code)


def _bytes(body: str) -> bytes:
    """In bytes, `\\x41` and `\\101` are octets and not characters."""
    out = bytearray()
    end = 0
    for match in _ESCAPE.finditer(body):
        out += body[end : match.start()].encode()
        what = match[1]
        if what[0] in "xX" and len(what) == 3:
            out.append(int(what[1:], 16))
        elif len(what) == 3:
            out.append(int(what, 8))
        elif what[0] in "uU" and len(what) > 1:
            raise ValueError("invalid bytes literal: unicode escapes are not allowed")
        else:
            out += _character(match).encode()
        end = match.end()
    return bytes(out + body[end:].encode())
