"""Names of properties as identifiers: `a.b` is written `a__dot__b`. Source: apiserver's cel/escaping.go."""

import re

# Kept for later versions of the language.
WORDS = frozenset(
    (
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    )
)
RESERVED = WORDS | {"true", "false", "null", "in"}
_ACCEPTED = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*", re.ASCII).fullmatch
_SPECIAL = re.compile(r"__|\.|-|/")
_WRITTEN = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


def escape(name: str) -> str | None:
    """None for a name that expressions cannot write."""
    if name in RESERVED:
        return f"__{name}__"
    if not _ACCEPTED(name):
        return None
    return _SPECIAL.sub(lambda found: _WRITTEN[found[0]], name)
