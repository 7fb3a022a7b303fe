"""Regular expressions of Go's RE2 syntax, run by Python's `re`: of schemas, and of rules in CEL.

Rewritten: `\\z`, `$`, `\\Q…\\E`, `\\x{…}`, POSIX and Unicode classes, named groups, `{` that begins no repeat, sets that Python
reads as something else. Refused as RE2 refuses it: look-around, back references, possessive repeats, more than a thousand repeats.
Limit: `re` backtracks, so a pattern that is linear in Go can be slow here (see docs/design/custom-resources.md).
"""

import functools
import re
import sys
import unicodedata
from collections.abc import Iterator

_REPEAT_MAX = 1000  # Go's

_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7F", "blank": "\\t ", "cntrl": "\\x00-\\x1F\\x7F",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_SPACE = "\\t\\n\\f\\r "  # Python's \s has \v too
_ESCAPES = frozenset("ABDQSWabdfnrstvwxz")  # letters that mean something after a backslash, but for classes
_CATEGORIES = frozenset(("L", "M", "N", "P", "S", "Z", "C"))
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}", re.ASCII)
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])", re.ASCII)
_OCTAL = re.compile(r"\\[0-7]{2,3}|\\0", re.ASCII)


class Unsupported(ValueError):
    """No pattern of RE2."""


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """Search with it. Raises Unsupported."""
    try:
        return re.compile(_Translation(pattern).whole(), re.ASCII)
    except (re.error, OverflowError, RecursionError) as wrong:
        raise Unsupported(f"error parsing regexp: {wrong}: `{pattern}`") from wrong


class _Translation:
    """From left to right; `_lines` says of each open group whether `$` means the end of a line in it."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._index = 0
        self._lines = [False]

    def whole(self) -> str:
        return "".join(self._pieces())

    def _pieces(self) -> Iterator[str]:
        while self._index < len(self._pattern):
            yield self._piece()

    def _piece(self) -> str:
        pattern, index = self._pattern, self._index
        char = pattern[index]
        if char == "\\":
            return self._escape(in_class=False)
        if char == "[":
            return self._class()
        if char == "(":
            return self._group()
        self._index += 1
        if char == ")":
            if len(self._lines) > 1:
                self._lines.pop()
        elif char == "$":
            return "$" if self._lines[-1] else r"\Z"
        elif char == "{":
            return self._repeat()
        elif char in "*+?":
            self._check_repeated(char)
        return char

    def _repeat(self) -> str:
        """A brace that begins no repeat is a character."""
        found = _REPEAT.match(self._pattern, self._index - 1)
        if found is None:
            return r"\{"
        if int(found[1]) > _REPEAT_MAX or int(found[3] or 0) > _REPEAT_MAX:
            raise Unsupported(f"error parsing regexp: invalid repeat count: `{found[0]}`")
        self._index = found.end()
        self._check_repeated(found[0])
        return found[0]

    def _check_repeated(self, repeat: str) -> None:
        """Python would take `a++` for a repeat that gives nothing back."""
        if self._pattern.startswith("+", self._index):
            raise Unsupported(f"error parsing regexp: invalid nested repetition operator: `{repeat}+`")

    # Groups.

    def _group(self) -> str:
        pattern, index = self._pattern, self._index
        if not pattern.startswith("(?", index):
            self._index += 1
            self._lines.append(self._lines[-1])
            return "("
        if pattern.startswith(("(?P<", "(?<"), index) and not pattern.startswith(("(?<=", "(?<!"), index):
            self._index = pattern.index("<", index) + 1
            self._lines.append(self._lines[-1])
            return "(?P<"
        found = _FLAGS.match(pattern, index)
        if found is None:
            raise Unsupported(
                f"error parsing regexp: invalid or unsupported Perl syntax: `{pattern[index : index + 3]}`"
            )
        return self._flags(found)

    def _flags(self, found: re.Match[str]) -> str:
        """`U` only matters for what is found, and not for whether."""
        on, off, end = found[1], found[2] or "", found[3]
        lines = "m" not in off and ("m" in on or self._lines[-1])
        python = on.replace("U", "") + (f"-{off.replace('U', '')}" if off.replace("U", "") else "")
        if end == ":":
            self._lines.append(lines)
        elif self._index:
            what = f"flags in the middle of an expression are not supported: `{found[0]}`"
            raise Unsupported(f"error parsing regexp: {what}")
        elif off.replace("U", ""):
            raise Unsupported(f"error parsing regexp: flags that are taken away at the start: `{found[0]}`")
        else:
            self._lines[-1] = lines
        self._index = found.end()
        if end == ":":
            return f"(?{python}:"
        return f"(?{python})" if python else ""

    # Sets.

    def _class(self) -> str:
        pattern = self._pattern
        self._index += 1
        out = ["["]
        if pattern.startswith("^", self._index):
            self._index += 1
            out.append("^")
        if pattern.startswith("]", self._index):  # a bracket that stands first is meant
            self._index += 1
            out.append("\\]")
        while not pattern.startswith("]", self._index):
            if self._index >= len(pattern):
                raise Unsupported(f"error parsing regexp: missing closing ]: `{pattern}`")
            out.append(self._member())
        self._index += 1
        return "".join([*out, "]"])

    def _member(self) -> str:
        pattern, index = self._pattern, self._index
        if pattern[index] == "\\":
            return self._escape(in_class=True)
        if pattern.startswith("[:", index) and ":]" in pattern[index:]:
            end = pattern.index(":]", index)
            name = pattern[index + 2 : end]
            if name not in _POSIX:
                raise Unsupported(f"error parsing regexp: invalid character class range: `[:{name}:]`")
            self._index = end + 2
            return _POSIX[name]
        self._index += 1
        char = pattern[index]
        # Python keeps `[`, `&&`, `||`, `~~` and `--` for operations on sets.
        return "\\" + char if char in "[&|~" or (char == "-" and pattern[index - 1] == "-") else char

    # Escapes.

    def _escape(self, *, in_class: bool) -> str:
        pattern, index = self._pattern, self._index
        following = pattern[index + 1 : index + 2]
        if not following:
            raise Unsupported("error parsing regexp: trailing backslash at end of expression: ``")
        if following in "pP":
            return self._unicode(in_class=in_class)
        octal = _OCTAL.match(pattern, index)
        if octal is not None:
            self._index = octal.end()
            return re.escape(chr(int(octal[0][1:], 8)))
        if (following.isalnum() and following not in _ESCAPES) or (in_class and following in "bBAz"):
            raise Unsupported(f"error parsing regexp: invalid escape sequence: `\\{following}`")
        if following == "Q":
            end = pattern.find("\\E", index)
            self._index = len(pattern) if end < 0 else end + 2
            return re.escape(pattern[index + 2 : len(pattern) if end < 0 else end])
        if following == "x" and pattern.startswith("{", index + 2):
            return self._code(index)
        self._index += 2
        if following == "z":
            return r"\Z"
        if following == "s":
            return _SPACE if in_class else f"[{_SPACE}]"
        if following == "S" and not in_class:
            return f"[^{_SPACE}]"
        return re.escape(following) if not following.isalnum() else "\\" + following

    def _code(self, index: int) -> str:
        end = self._pattern.find("}", index)
        try:
            char = chr(int(self._pattern[index + 3 : end], 16))
        except (ValueError, OverflowError):
            what = self._pattern[index : end + 1 if end >= 0 else index + 3]
            raise Unsupported(f"error parsing regexp: invalid escape sequence: `{what}`") from None
        self._index = end + 1
        return re.escape(char)

    def _unicode(self, *, in_class: bool) -> str:
        r"""`\pL`, `\p{Lu}`, `\P{L}`, `\p{^L}`: general categories; scripts are not known."""
        pattern, index = self._pattern, self._index
        if pattern.startswith("{", index + 2):
            end = pattern.find("}", index)
            name, self._index = pattern[index + 3 : end], end + 1
        else:
            name, self._index = pattern[index + 2 : index + 3], index + 3
        negated = name.startswith("^") != (pattern[index + 1] == "P")
        name = name.removeprefix("^")
        ranges = _category(name)
        if not ranges or (negated and in_class):
            raise Unsupported(f"error parsing regexp: invalid character class range: `{pattern[index : self._index]}`")
        return ranges if in_class else f"[{'^' if negated else ''}{ranges}]"


@functools.lru_cache(maxsize=64)
def _category(name: str) -> str:
    """All characters of a general category as ranges of a set; "" for what is none."""
    if name[:1] not in _CATEGORIES or len(name) > 2:
        return ""
    found: list[str] = []
    start: int | None = None
    for code in range(sys.maxunicode + 2):
        within = code <= sys.maxunicode and unicodedata.category(chr(code)).startswith(name)
        if within and start is None:
            start = code
        elif not within and start is not None:
            found.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    return "".join(found)
