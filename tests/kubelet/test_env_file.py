"""Files of variables: what is a value, and what is refused."""

import pytest

from steersman.kubelet import env_file


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("A='1'\nB='2'", {"A": "1", "B": "2"}),
        ("  A =  'a b'  \n\n# B='2'\n", {"A": "a b"}),
        ("A='one\ntwo # no comment'\n", {"A": "one\ntwo # no comment"}),
        ("A='first'\nA='second'\n", {"A": "first"}),
        ("A='$HOME \\n \"x\"'\r\n", {"A": '$HOME \\n "x"'}),
        ("A=''", {"A": ""}),
    ],
)
def test_values(text: str, values: dict[str, str]) -> None:
    assert env_file.parse(text) == values


@pytest.mark.parametrize(
    ("text", "line"), [("A=1", 1), ("A='1'\nB", 2), ('A="1"', 1), ("A='1", 1), ("='1'", 1), ("A='1' B='2'", 1)]
)
def test_what_is_no_value(text: str, line: int) -> None:
    with pytest.raises(env_file.Malformed, match=f"at line {line}:"):
        env_file.parse(text)
