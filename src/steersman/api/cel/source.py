"""Where in an expression something is, and the errors of its text in the words and the layout that clients know.

Source of the layout: cel-go's common/error.go.
"""

import dataclasses
import unicodedata

ERRORS_MAX = 100  # cel-go's: more mistakes in one expression are counted, not told


@dataclasses.dataclass(frozen=True, slots=True)
class Issue:
    """One mistake at an offset of the text."""

    offset: int
    message: str


class CompileError(Exception):
    """An expression that is none, or has no type. `str()` is what upstream shows."""

    def __init__(self, text: str, issues: list[Issue]) -> None:
        self.issues = sorted(issues, key=lambda issue: issue.offset)
        super().__init__(display(text, self.issues))


def display(text: str, issues: list[Issue]) -> str:
    """`ERROR: <input>:1:6: message`, the line, and a mark below the place."""
    shown = [_one(text, issue) for issue in issues[:ERRORS_MAX]]
    if len(issues) > ERRORS_MAX:
        shown.append(f"{len(issues) - ERRORS_MAX} more errors were truncated")
    return "\n".join(shown)


def _one(text: str, issue: Issue) -> str:
    line, column = position(text, issue.offset)
    source = text.split("\n")[line - 1].replace("\t", " ").removesuffix("\r")
    dots = "".join("．" if unicodedata.east_asian_width(char) in "WF" else "." for char in source[:column])
    mark = "＾" if unicodedata.east_asian_width(source[column : column + 1] or " ") in "WF" else "^"
    dots += "." * (column - len(dots))
    return f"ERROR: <input>:{line}:{column + 1}: {issue.message}\n | {source}\n | {dots}{mark}"


def position(text: str, offset: int) -> tuple[int, int]:
    """Line from 1, column from 0."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1)
