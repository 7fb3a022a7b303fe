import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.meta import quantities

CANONICAL = {
    "half a core": ("0.5", "500m"),
    "thousand millis": ("1000m", "1"),
    "a fraction of binary": ("1.5Gi", "1536Mi"),
    "binary stays binary": ("1Ki", "1Ki"),
    "binary moves up": ("1024Ki", "1Mi"),
    "no power of 1024": ("1025", "1025"),
    "binary that is no whole number": ("0.1Ki", "102400m"),
    "binary below 1024": ("0.5Ki", "512"),
    "decimal moves up": ("12000k", "12M"),
    "exponent stays": ("1e3", "1e3"),
    "big E is an exponent with digits": ("12E6", "12e6"),
    "big E alone is exa": ("100E", "100E"),
    "zero": ("0", "0"),
    "zero of anything": ("0Gi", "0"),
    "point first": (".5", "500m"),
    "point last": ("5.", "5"),
    "negative": ("-1.5", "-1500m"),
    "plus": ("+5", "5"),
    "finer than nano is rounded up": ("0.0000000001", "1n"),
    "more digits than an int64 is capped": ("99999999999999999999999", "9223372036854775807"),
}


@pytest.mark.parametrize(("text", "expect"), CANONICAL.values(), ids=CANONICAL.keys())
def test_canonical(text, expect):
    assert quantities.canonical(text) == expect


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1gi", "1Ki5", "--1", "1e", ".", "１", "1e1.5", "0x10"])
def test_refuses_what_is_no_quantity(text):
    with pytest.raises(ValueError, match="quantities must match"):
        quantities.parse(text)


def test_refuses_other_types():
    assert not quantities.is_quantity(True)
    assert not quantities.is_quantity(None)
    assert quantities.is_quantity(1.5)


def test_rounds_up_to_whole_parts():
    assert quantities.millis("1u") == 1
    assert quantities.whole("1m") == 1
    assert quantities.whole("1.5Gi") == 3 << 29
    assert quantities.millis("2") == 2000
    assert quantities.whole("-1500m") == -1


def test_writes_counts():
    assert quantities.of_millis(1500) == "1500m"
    assert quantities.of_millis(2000) == "2"
    assert quantities.of_bytes(1 << 20) == "1Mi"
    assert quantities.of_bytes(1000) == "1k"


def test_compares_by_value_not_by_text():
    assert quantities.compare("1000m", "1") == 0
    assert quantities.compare("1Gi", "1G") == 1
    assert quantities.parse("1Gi") > quantities.parse("1G")
    assert quantities.parse("1024Mi") == quantities.parse("1Gi")


numbers = st.from_regex(r"[+-]?[0-9]{1,15}(\.[0-9]{0,12})?", fullmatch=True)
suffixes = st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "E-3", "e0"])
texts = st.builds(lambda number, suffix: number + suffix, numbers, suffixes)


@given(texts)
def test_the_canonical_form_has_the_same_value_and_is_stable(text):
    parsed = quantities.parse(text)
    canonical = quantities.canonical(text)
    assert quantities.parse(canonical).nanos == parsed.nanos
    assert quantities.canonical(canonical) == canonical


@given(st.text(max_size=12))
def test_parsing_any_text_answers_or_refuses(text):
    assert quantities.is_quantity(text) in (True, False)
