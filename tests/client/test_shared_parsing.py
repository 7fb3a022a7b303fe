"""The same bytes become the same object, whoever is told."""

from typing import Any

import orjson
import pytest

from steersman.client import requests, shared_parsing
from steersman.client.shared_parsing import SharedParsing
from steersman.meta import errors

VALUE = b'{"kind":"Pod","metadata":{"resourceVersion":"7","name":"a"}}'
LINE = b'{"type":"MODIFIED","object":%b}' % VALUE


@pytest.mark.parametrize(
    ("data", "expect"),
    [
        pytest.param(VALUE, orjson.loads(VALUE), id="an object"),
        pytest.param(LINE, orjson.loads(LINE), id="a line of a watch"),
        pytest.param(b'{"type":"x"}', {"type": "x"}, id="something else with a type"),
        pytest.param(b'{"type":"a much longer word than any event has","object":{}}', None, id="no event"),
    ],
)
def test_it_parses_as_json_does(data: bytes, expect: Any) -> None:
    assert SharedParsing().loads(data) == (orjson.loads(data) if expect is None else expect)


def test_all_are_told_the_same_object() -> None:
    parsing = SharedParsing()
    stored = parsing.loads(VALUE)
    assert requests.parse_event(LINE, parsing.loads).object is stored
    assert requests.parse_event(LINE.replace(b"MODIFIED", b"ADDED"), parsing.loads).object is stored


def test_an_error_is_raised_each_time() -> None:
    line = b'{"type":"ERROR","object":%b}' % orjson.dumps(errors.expired("too old").status)
    parsing = SharedParsing()
    for _ in range(2):
        with pytest.raises(errors.StatusError, match="too old"):
            requests.parse_event(line, parsing.loads)


def test_the_oldest_are_forgotten() -> None:
    parsing = SharedParsing()
    first = parsing.loads(VALUE)
    for number in range(shared_parsing.KEPT_MAX):
        parsing.loads(b'{"a":%d}' % number)
    assert parsing.loads(VALUE) == first
    assert parsing.loads(VALUE) is not first
