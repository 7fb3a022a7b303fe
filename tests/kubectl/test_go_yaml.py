"""YAML as Go reads and writes it. The expected texts were made by kubectl 1.33."""

import pytest

from steersman.kubectl import go_numbers, go_yaml


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("y", '"y"'),
        ("Off", '"Off"'),
        ("on", '"on"'),
        ("012", '"012"'),
        ("0o12", '"0o12"'),
        ("1e3", '"1e3"'),
        ("1_000", '"1_000"'),
        ("1:30", '"1:30"'),
        ("190:20:30", '"190:20:30"'),
        ("2024-01-01", '"2024-01-01"'),
        ("0x1F", '"0x1F"'),
        (".5", '".5"'),
        ("1.", '"1."'),
        ("~", '"~"'),
        ("null", '"null"'),
        ("=", "="),
        ("<<", "<<"),
        ("", '""'),
        (" a", "' a'"),
        ("-", "'-'"),
        ("a: b", "'a: b'"),
        ("a #b", "'a #b'"),
        (".inf", '".inf"'),
        ("a\nb", "|-\n  a\n  b"),
        ("a\n b\n", "|\n  a\n   b"),
        (" a\nb", "|2-\n   a\n  b"),
        ("😀", '"\\U0001F600"'),
        ("é", "é"),
        ("a\tb", '"a\\tb"'),
        ("0.0.0.0", "0.0.0.0"),
        ("1h", "1h"),
        ("a'b", "a'b"),
        ("on/off", "on/off"),
        ("2001-12-14t21:59:43.10-05:00", '"2001-12-14t21:59:43.10-05:00"'),
        ("08", '"08"'),
        ("1,000", "1,000"),
        ("tRue", "tRue"),
        ("---", "'---'"),
        ("[]", "'[]'"),
        (True, "true"),
        (None, "null"),
        (5, "5"),
        (1.5, "1.5"),
        ({}, "{}"),
        ([], "[]"),
    ],
    ids=repr,
)
def test_written(value: object, written: str) -> None:
    assert go_yaml.dump({"a": value}) == f"a: {written}\n"
    assert list(go_yaml.read_all(go_yaml.dump({"a": value}))) == [{"a": value}]


def test_long_words_are_folded() -> None:
    text = go_yaml.dump({"a": "long " * 40})
    assert text.splitlines()[0] == "  a: 'long"[2:] + " long" * 15
    assert list(go_yaml.read_all(text)) == [{"a": "long " * 40}]


def test_keys_are_sorted_as_people_count() -> None:
    keys = ["b", "a10", "a2", "a", "A", "1", "10", "9", "a-b", "a.b", "a1b", "a01", "a1", "a_b", "01", "0"]
    written = go_yaml.dump(dict.fromkeys(keys, 1)).splitlines()
    expected = "0 1 01 9 10 A a a-b a.b a_b a1 a01 a2 a10 a1b b"
    assert " ".join(line.partition(":")[0].strip('"') for line in written) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("off", False),
        ("012", 10),
        ("0o12", 10),
        ("0b11", 3),
        ("-0x1f", -31),
        ("1e3", 1000.0),
        ("1_000", 1000),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("'5'", "5"),
        ('"y"', "y"),
        ("1.2.3", "1.2.3"),
        ("08", 8.0),
        ("-", None),
    ],
)
def test_read(text: str, value: object) -> None:
    if text == "-":
        assert list(go_yaml.read_all("a:\n-")) == [{"a": [None]}]
    else:
        assert list(go_yaml.read_all(f"a: {text}")) == [{"a": value}]


def test_mappings_may_be_put_into_others() -> None:
    (found,) = go_yaml.read_all("a: &a {b: 1, c: 2}\nd: {<<: *a, c: 3}\n")
    assert found["d"] == {"b": 1, "c": 3}


def test_keys_are_texts_in_json() -> None:
    assert list(go_yaml.read_all("1: a\ntrue: b\nnull: c\n")) == [{"1": "a", "true": "b", "null": "c"}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.1, "0.1"),
        (1e6, "1e+06"),
        (123456.0, "123456"),
        (1234567.5, "1.2345675e+06"),
        (1e-5, "1e-05"),
        (-0.25, "-0.25"),
    ],
)
def test_floats(value: float, text: str) -> None:
    assert go_numbers.go_float(value) == text
