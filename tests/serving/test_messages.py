import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.serving.messages import Request


@given(st.text(alphabet="ab=&;%+20é/", max_size=20))
def test_parameters_are_those_of_a_form(query):
    assert Request("GET", "/", query).parameters() == urllib.parse.parse_qs(query, keep_blank_values=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "none"),
        ("a=1", "1"),
        ("a=1&a=2", "1"),
        ("a", ""),
        ("a=", ""),
        ("b=2", "none"),
        ("a=x=y", "x=y"),
        ("a=%20", " "),
    ],
)
def test_one_parameter(query, expected):
    assert Request("GET", "/", query).parameter("a", "none") == expected
