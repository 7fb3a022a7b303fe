"""Cells between tabs, aligned in columns as Go's text/tabwriter does it (elastic tab stops)."""

# What kubectl's tables are written with.
MIN_WIDTH, PADDING = 6, 3


class TabWriter:
    """`write` text, then `flush()` gives it aligned.

    A column is a block of lines that follow each other and have a cell there with a tab after it; the last cell of a line
    belongs to none. With `remember`, columns stay at least as wide as they have been.
    """

    def __init__(self, min_width: int = MIN_WIDTH, padding: int = PADDING, *, remember: bool = False) -> None:
        self._min_width, self._padding, self._remember = min_width, padding, remember
        self._remembered: list[int] = []
        self._text: list[str] = []

    def write(self, text: str) -> None:
        self._text.append(text)

    def row(self, *cells: object) -> None:
        self._text.append("\t".join(map(str, cells)) + "\n")

    def forget(self) -> None:
        self._remembered = []

    def flush(self) -> str:
        lines = [line.split("\t") for line in "".join(self._text).split("\n")]
        self._text = []
        out: list[str] = []
        self._format(lines, 0, len(lines), [], out)
        return "\n".join(out)

    def _format(self, lines: list[list[str]], start: int, end: int, widths: list[int], out: list[str]) -> None:
        column = len(widths)
        at = start
        while at < end:
            if column >= len(lines[at]) - 1:
                out.append(_padded(lines[at], widths))
                at += 1
                continue
            last = at
            width = self._remembered[column] if column < len(self._remembered) else self._min_width
            while last < end and column < len(lines[last]) - 1:
                width = max(width, len(lines[last][column]) + self._padding)
                last += 1
            if self._remember:
                self._remembered[column : column + 1] = [width]
            self._format(lines, at, last, [*widths, width], out)
            at = last


def _padded(cells: list[str], widths: list[int]) -> str:
    fixed = "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False))
    return fixed + "".join(cells[len(widths) :])
