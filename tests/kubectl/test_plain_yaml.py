"""The small reader of YAML says what the whole one says, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.kubectl import go_yaml, plain_yaml

WORDS = st.sampled_from(
    ["a", "b-c", "d.e/f", "1", "010", "true", "off", "null", "", "https://x:1", "YQ==", "x y", "a: b", "-", "é", "'"]
)
VALUES = st.recursive(
    st.one_of(WORDS, st.booleans(), st.none(), st.integers()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4))
def test_what_is_written_by_kubectl_is_read_the_same_or_not_at_all(value: dict[str, object]) -> None:
    text = go_yaml.dump(value)
    try:
        read = plain_yaml.read(text)
    except plain_yaml.NotPlain:
        return
    assert read == next(iter(go_yaml.read_all(text)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb:\n- c: x\n  d: 'y'\n- e\nf: {}\n", {"a": 1, "b": [{"c": "x", "d": "y"}, "e"], "f": {}}),
        (
            '---\n# comment\nkind: Config\nusers:\n  - name: "n"\n    user:\n      token: t\n',
            {"kind": "Config", "users": [{"name": "n", "user": {"token": "t"}}]},
        ),
        ("a:\nb: null\n", {"a": None, "b": None}),
        ("", None),
    ],
)
def test_plain(text: str, value: object) -> None:
    assert plain_yaml.read(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: [1]",
        "a: &x 1",
        "a: |\n  b",
        "a: b\n  c",
        "a: 'b''c'",
        'a: "b\\n"',
        "a: b # c",
        "a: b: c",
        "- - a",
        "a: 1\na: 2",
        "a: 1\n---\nb: 2",
        "a: !!str 1",
        "? a",
        "1: a",
        "a:\n    b: 1\n  c: 2",
        "<<: a",
        "just words",
    ],
)
def test_more_than_plain(text: str) -> None:
    with pytest.raises(plain_yaml.NotPlain):
        plain_yaml.read(text)
