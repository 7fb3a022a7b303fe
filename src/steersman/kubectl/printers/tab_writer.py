"""Columns as Go's text/tabwriter makes them: a column is as wide as its widest cell in consecutive lines that have it.

A cell ends at a tab; what follows the last tab of a line belongs to no column and is written as it is.
"""

import dataclasses
import re

_LINE = re.compile(r"[^\n\f]*[\n\f]?")
_CELL_ENDS = re.compile(r"[\t\v]")


@dataclasses.dataclass(frozen=True, slots=True)
class Style:
    least_width: int
    padding: int


TABLE = Style(6, 3)  # what `get` and its relatives print
DESCRIPTION = Style(0, 2)


def aligned(text: str, style: Style = TABLE) -> str:
    """The text with its tabs turned into spaces. A form feed ends a line and every column with it."""
    return "".join(_block(part, style) for part in re.split(r"(?<=\f)", text))


def _block(text: str, style: Style) -> str:
    pieces = [line for line in _LINE.findall(text) if line]
    lines = [_CELL_ENDS.split(piece.rstrip("\n\f")) for piece in pieces]
    widths = _widths(lines, style)
    written: list[str] = []
    for piece, cells, columns in zip(pieces, lines, widths, strict=True):
        padded = "".join(cell + " " * (width - len(cell)) for cell, width in zip(cells[:-1], columns, strict=True))
        written.append(padded + cells[-1] + ("\n" if piece[-1:] in ("\n", "\f") else ""))
    return "".join(written)


def _widths(lines: list[list[str]], style: Style) -> list[list[int]]:
    """For each line the widths of its columns."""
    widths: list[list[int]] = [[0] * (len(cells) - 1) for cells in lines]
    for column in range(max((len(cells) - 1 for cells in lines), default=0)):
        start = 0
        while start < len(lines):
            end = start
            while end < len(lines) and len(lines[end]) - 1 > column:
                end += 1
            width = max((len(cells[column]) + style.padding for cells in lines[start:end]), default=0)
            for row in range(start, end):
                widths[row][column] = max(width, style.least_width)
            start = end + 1
    return widths
