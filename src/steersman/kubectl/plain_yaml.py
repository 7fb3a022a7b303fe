"""The YAML that kubectl itself writes, read in a few lines: mappings and lists in blocks, words, and texts in simple quotes. Pure.

For kubeconfigs, which every command begins with: a whole reader of YAML costs more CPU to import than the rest of a `get`.
Whatever is not as plain as that is for the whole reader.
"""

import re
from typing import Any

from steersman.kubectl.go_words import resolve

_KEY = re.compile(r"([A-Za-z0-9_][\w./-]*|\"[^\"\\]*\"|'[^']*'):(?: +(.*))?").fullmatch
_STRANGE_START = frozenset("[]{}&*!|>%@`?,:-\"'#=<")
_EMPTY: dict[str, Any] = {"{}": dict, "[]": list}


class NotPlain(Exception):
    """It may be YAML, but is more than this."""


def read(text: str) -> Any:
    """One document. Raises NotPlain."""
    if "\t" in text or "\r" in text or not text.isascii():
        raise NotPlain
    lines = []
    for number, line in enumerate(text.split("\n")):
        content = line.strip(" ")
        if not content or content[0] == "#" or (content == "---" and number == 0):
            continue
        lines.append((len(line) - len(line.lstrip(" ")), content))
    if not lines:
        return None
    value, end = _block(lines, 0, lines[0][0])
    if end != len(lines):
        raise NotPlain
    return value


_Lines = list[tuple[int, str]]


def _block(lines: _Lines, at: int, indent: int) -> tuple[Any, int]:
    """The value that begins there, and the line behind it."""
    return _list(lines, at, indent) if _is_item(lines[at][1]) else _mapping(lines, at, indent)


def _is_item(content: str) -> bool:
    return content == "-" or content.startswith("- ")


def _mapping(lines: _Lines, at: int, indent: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while at < len(lines) and lines[at][0] == indent and not _is_item(lines[at][1]):
        pair = _KEY(lines[at][1])
        if pair is None:
            raise NotPlain
        key, text = pair.group(1).strip("\"'"), pair.group(2)
        if key in found or (pair.group(1) == key and resolve(key) is not key):
            raise NotPlain
        at += 1
        if text:
            found[key] = _scalar(text)
        elif at < len(lines) and (lines[at][0] > indent or (lines[at][0] == indent and _is_item(lines[at][1]))):
            found[key], at = _block(lines, at, lines[at][0])
        else:
            found[key] = None
    _check_end(lines, at, indent)
    return found, at


def _list(lines: _Lines, at: int, indent: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while at < len(lines) and lines[at][0] == indent and _is_item(lines[at][1]):
        rest = lines[at][1][1:].lstrip(" ")
        if not rest or _is_item(rest):
            raise NotPlain
        if _KEY(rest):
            inner = indent + len(lines[at][1]) - len(rest)
            lines[at] = (inner, rest)
            value, at = _mapping(lines, at, inner)
        else:
            value, at = _scalar(rest), at + 1
        found.append(value)
    _check_end(lines, at, indent)
    return found, at


def _check_end(lines: _Lines, at: int, indent: int) -> None:
    """What follows stands less deep."""
    if at < len(lines) and lines[at][0] > indent:
        raise NotPlain


def _scalar(text: str) -> Any:
    if text in _EMPTY:
        return _EMPTY[text]()
    quote = text[0]
    if quote in "\"'":
        inner = text[1:-1]
        if len(text) < 2 or text[-1] != quote or quote in inner or "\\" in inner:
            raise NotPlain
        return inner
    if quote in _STRANGE_START or ": " in text or " #" in text or text[-1] == ":":
        raise NotPlain
    return resolve(text)
