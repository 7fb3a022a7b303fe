"""Patterns of schemas: Go's RE2 syntax, run by Python's `re`.

Rewritten: `\\z`, `\\Q…\\E`, POSIX and Unicode classes, named groups, inline flags in the middle, `$` without the newline that
Python allows before the end. Refused as RE2 refuses it: look-around, back references, possessive repeats.
Limit: `re` backtracks, so a pattern that is linear in Go can be slow here (see docs/design/custom-resources.md).
"""

import functools
import re

_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7F", "blank": "\\t ", "cntrl": "\\x00-\\x1F\\x7F",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
# Unicode classes as near as Python's classes come without another package.
_UNICODE = {
    "L": "^\\W\\d_",
    "Lu": "A-ZÀ-ÖØ-Þ",
    "Ll": "a-zß-öø-ÿ",
    "N": "\\d",
    "Nd": "\\d",
    "P": "!-/:-@\\[-`{-~",
    "Z": "\\s",
}


class Unsupported(ValueError):
    """No pattern of RE2."""


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """Search with it. Raises Unsupported."""
    try:
        return re.compile(_translated(pattern), re.ASCII if pattern.isascii() else 0)
    except (re.error, OverflowError, RecursionError) as wrong:
        raise Unsupported(f"error parsing regexp: {wrong}: `{pattern}`") from wrong


def _translated(pattern: str) -> str:
    out: list[str] = []
    index, in_class = 0, False
    while index < len(pattern):
        char = pattern[index]
        step = 1
        if char == "\\":
            step, text = _escape(pattern, index, in_class)
            out.append(text)
        elif in_class and pattern.startswith("[:", index) and ":]" in pattern[index:]:
            end = pattern.index(":]", index)
            name = pattern[index + 2 : end]
            if name.removeprefix("^") not in _POSIX or name.startswith("^"):
                raise Unsupported(f"error parsing regexp: invalid character class range: `[:{name}:]`")
            out.append(_POSIX[name])
            step = end + 2 - index
        elif in_class:
            in_class = char != "]"
            out.append("\\[" if char == "[" else char)
        elif char == "[":
            in_class = True
            negated = "^" if pattern.startswith("^", index + 1) else ""
            first = index + 1 + len(negated)
            literal = "\\]" if pattern.startswith("]", first) else ""  # a bracket that stands first is meant
            out.append(f"[{negated}{literal}")
            step = 1 + len(negated) + (1 if literal else 0)
        elif char == "(" and pattern.startswith("(?", index):
            step, text = _group(pattern, index)
            out.append(text)
        elif char == "$":
            out.append(r"\Z")
        elif char in "*+?}" and pattern.startswith("+", index + 1):
            raise Unsupported(f"error parsing regexp: invalid nested repetition operator: `{char}+`")
        else:
            out.append(char)
        index += step
    return "".join(out)


def _escape(pattern: str, index: int, in_class: bool) -> tuple[int, str]:
    following = pattern[index + 1 : index + 2]
    if not following:
        raise Unsupported("error parsing regexp: trailing backslash at end of expression: ``")
    if following == "z":
        return 2, r"\Z"
    if following == "Q":
        end = pattern.find("\\E", index)
        literal = pattern[index + 2 : end if end >= 0 else len(pattern)]
        return len(literal) + (4 if end >= 0 else 2), re.escape(literal)
    if following in "pP":
        return _unicode(pattern, index, in_class)
    if following.isdigit() and following != "0":
        raise Unsupported(f"error parsing regexp: invalid escape sequence: `\\{following}`")
    if following == "x" and pattern.startswith("{", index + 2):
        end = pattern.find("}", index)
        return end + 1 - index, re.escape(chr(int(pattern[index + 3 : end], 16)))
    if following == "Z":
        raise Unsupported("error parsing regexp: invalid escape sequence: `\\Z`")
    if following in "/'\"#%&,;:<>=@_`~!- ":
        return 2, re.escape(following)
    return 2, "\\" + following


def _unicode(pattern: str, index: int, in_class: bool) -> tuple[int, str]:
    if pattern.startswith("{", index + 2):
        end = pattern.find("}", index)
        name, step = pattern[index + 3 : end], end + 1 - index
    else:
        name, step = pattern[index + 2 : index + 3], 3
    found = _UNICODE.get(name)
    if found is None:
        raise Unsupported(f"error parsing regexp: invalid character class range: `{pattern[index : index + step]}`")
    if in_class:
        return step, found.removeprefix("^")
    negated = found.startswith("^") != (pattern[index + 1] == "P")
    return step, f"[{'^' if negated else ''}{found.removeprefix('^')}]"


def _group(pattern: str, index: int) -> tuple[int, str]:
    if pattern.startswith(("(?=", "(?!", "(?<=", "(?<!", "(?#", "(?>"), index):
        raise Unsupported(f"error parsing regexp: invalid or unsupported Perl syntax: `{pattern[index : index + 3]}`")
    if pattern.startswith("(?<", index):
        return 3, "(?P<"
    flags = re.match(r"\(\?([imsU-]+)([:)])", pattern[index:])
    if flags is None:
        return 1, "("
    letters, end = flags[1].replace("U", ""), flags[2]
    if end == ":":
        return flags.end(), f"(?{letters}:"
    if index:
        raise Unsupported(f"error parsing regexp: flags in the middle of an expression are not supported: `{flags[0]}`")
    return flags.end(), f"(?{letters})" if letters else ""
