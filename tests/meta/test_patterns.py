"""Patterns of RE2, run by Python's `re`."""
# ruff: noqa: E501 — a table

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.meta import patterns

PATTERNS: dict[str, tuple[str, str, bool]] = {
    "no newline at the end": ("^a$", "a\n", False),
    "posix": ("^[[:alpha:]]+$", "abc", True),
    "posix negated around": ("^[^[:space:]]+$", "a b", False),
    "end": (r"^a\z", "a", True),
    "quoted": (r"^\Qa.b\E$", "axb", False),
    "quoted to the end": (r"^\Qa.b", "a.b", True),
    "named": ("^(?P<x>a)$", "a", True),
    "named in the newer way": ("^(?<x>a)$", "a", True),
    "flags": ("(?i)^a$", "A", True),
    "flags of a group": ("^(?i:a)b$", "Ab", True),
    "flags taken away": ("(?i)^a(?-i:b)$", "AB", False),
    "lines": ("(?m)^a$", "b\na\nc", True),
    "lines in a group only": ("(?m:^a$)\nb$", "a\nb\n", False),
    "dot without newline": ("^a.b$", "a\nb", False),
    "dot with newline": ("(?s)^a.b$", "a\nb", True),
    "unicode class": (r"^\p{Lu}$", "Ä", True),
    "unicode class in a set": (r"^[\p{L}\d]+$", "aäß1", True),
    "unicode class in a set does not take the rest": (r"^[\p{L}\d]+$", "a-b", False),
    "unicode class negated": (r"^\PL$", "1", True),
    "unicode class negated inside": (r"^\p{^L}$", "a", False),
    "bracket first": ("^[]a]$", "]", True),
    "bracket first of the others": ("^[^]a]$", "]", False),
    "bracket in a set": ("^[a[]$", "[", True),
    "sets are no operations": ("^[a&&b]+$", "&", True),
    "two dashes": ("^[+--]$", ",", True),
    "digits are ASCII": (r"^\d$", "٣", False),
    "digits are ASCII beside other letters": (r"^ä\d$", "ä٣", False),
    "space has no vertical tab": (r"^\s$", "\v", False),
    "no space in a set": (r"^[^\s]$", " ", False),
    "search": ("b", "abc", True),
    "brace that is a character": ("^a{,2}$", "a{,2}", True),
    "brace alone": ("^a{b}$", "a{b}", True),
    "repeat": ("^a{2,3}$", "aa", True),
    "code": (r"^\x41\x{1F600}\101$", "A😀A", True),
    "escaped punctuation": (r"^\/\-\@\_$", "/-@_", True),
    "word boundary": (r"\bfoo\b", "a foo b", True),
    "lazy": ("^a+?$", "aaa", True),
    "address": (r"^((2(5[0-5]|[0-4][0-9])|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|[0-9]+)$", "10.0.0.1", True),
    "host": (r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "*.example.com", True),
}


@pytest.mark.parametrize(("pattern", "text", "fits"), PATTERNS.values(), ids=PATTERNS)
def test_patterns(pattern: str, text: str, fits: bool):
    assert (patterns.compiled(pattern).search(text) is not None) == fits


REFUSED = [
    *("(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "(?>a)", "(?#a)", r"(a)\1", r"\8", "a++", "a*+", "a{2}+", "a**", "[", "(", ")", "*a", "\\"),
    *(r"\Z", r"\p{Greek}", r"[\PL]", "a(?i)b", "a{1001}", "a{1,1001}", "[[:nope:]]", r"\x{110000}", r"\x{zz}", "[a", r"[\b]", r"\y", r"\u0041", r"\C"),
]  # fmt: skip


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_is_no_pattern_of_re2(pattern: str):
    with pytest.raises(patterns.Unsupported, match="error parsing regexp"):
        patterns.compiled(pattern)


PIECES = st.sampled_from(
    [*"ab01.*+?()[]{}|^$-\\,&~ ", "\\d", "\\s", "[a-z]", "{2}", "(?i)", "(?:", "[^", "\\Q", "\\pL", "[:alpha:]"]
)


@given(st.lists(PIECES, max_size=10).map("".join), st.text(max_size=5))
def test_any_text_is_a_pattern_or_refused(pattern: str, text: str):
    """And Python finds nothing in it that it would warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = patterns.compiled(pattern).search(text)
        except patterns.Unsupported as refused:
            found = None
            assert str(refused)  # noqa: PT017 — either way is right
    assert found is None or found.start() <= len(text)
