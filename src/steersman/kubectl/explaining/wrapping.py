"""Lines of a certain width, in the two ways in which kubectl breaks them. Pure."""

import re

_NO_BREAK_SPACE = "\u00a0"
_BULLET = re.compile(r"(\d+\.?|-|\*)\s").match


def indented(text: str, spaces: int) -> str:
    pad = " " * spaces
    return pad + text.replace("\n", f"\n{pad}")


def wrapped(text: str, width: int) -> str:
    """Break at spaces, keeping them and the line breaks there are (mitchellh/go-wordwrap)."""
    out: list[str] = []
    word, space, current = "", "", 0
    for char in text:
        if char == "\n":
            if word or current + len(space) <= width:
                out += (space, word)
            word, space, current = "", "", 0
            out.append(char)
        elif char.isspace() and char != _NO_BREAK_SPACE:
            if not space or word:
                current += len(space) + len(word)
                out += (space, word)
                word, space = "", ""
            space += char
        else:
            word += char
            if current + len(space) + len(word) > width and len(word) < width:
                out.append("\n")
                space, current = "", 0
    if word or current + len(space) <= width:
        out += (space, word)
    return "".join(out)


def filled(text: str, width: int) -> list[str]:
    """Lines filled with words; indented text, lists, empty lines and lines that end in a colon are kept apart."""
    lines: list[str] = []
    current, last = "", ""

    def flush() -> None:
        nonlocal current, last
        if current:
            lines.append(current)
        current, last = "", ""

    for line in text.split("\n"):
        stripped = line.strip()
        if line.startswith("    "):
            flush()
            lines.append(line)
            continue
        if lines and not stripped:
            flush()
            lines.append("")
            continue
        if last.endswith(":") or not stripped or _BULLET(stripped):
            flush()
        for word in stripped.split():
            last = word
            if current and len(current) + 1 + len(word) > width:
                flush()
            current = f"{current} {word}" if current else word
    flush()
    return lines
