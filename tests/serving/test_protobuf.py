"""Messages as bytes, against bytes that other implementations make."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.serving import protobuf

SCHEMA = protobuf.Schema(
    """
    // A comment; message Not { string a = 1; }
    syntax = "proto3";
    package test.v1;
    enum State { IDLE = 0; BUSY = 1; /* and */ DONE = 5; }
    message Inner { string name = 1; Inner next = 2; }
    message All {
      int32 small = 1; int64 large = 2; bool yes = 3; string text = 4; bytes raw = 5; double real = 6;
      State state = 7; Inner inner = 8; repeated string texts = 9; repeated int64 numbers = 10;
      map<string, string> pairs = 11; map<string, Inner> inners = 12; repeated Inner many = 13; uint64 count = 14; float half = 15;
    }
    message Few { int32 small = 1; }
    service Door { rpc Open(All) returns (Few) {} rpc Watch(Few) returns (stream All) {} }
    """
)


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ({}, b""),
        ({"small": 150}, b"\x08\x96\x01"),
        ({"small": -1}, b"\x08" + b"\xff" * 9 + b"\x01"),
        ({"text": "testing"}, b"\x22\x07testing"),
        ({"yes": True, "state": "DONE"}, b"\x18\x01\x38\x05"),
        ({"inner": {}}, b"\x42\x00"),
        ({"inner": {"name": "a", "next": {"name": "b"}}}, b"\x42\x08\x0a\x01a\x12\x03\x0a\x01b"),
        ({"pairs": {"k": "v"}}, b"\x5a\x06\x0a\x01k\x12\x01v"),
        ({"real": 1.5}, b"\x31\x00\x00\x00\x00\x00\x00\xf8\x3f"),
    ],
)
def test_known_bytes(value: protobuf.Message, raw: bytes) -> None:
    assert SCHEMA.encode("All", value) == raw
    assert SCHEMA.decode("All", raw) == value


def test_packed_numbers_and_unknown_fields() -> None:
    assert SCHEMA.decode("All", b"\x52\x03\x01\x96\x01") == {"numbers": [1, 150]}
    assert SCHEMA.decode("Few", SCHEMA.encode("All", {"small": 7, "text": "x", "real": 2.0, "inner": {}})) == {
        "small": 7
    }
    assert SCHEMA.decode("All", b"\x38\x09") == {"state": "9"}, "a state of a later version"


def test_defaults_are_not_sent() -> None:
    assert SCHEMA.encode("All", {"small": 0, "text": "", "yes": False, "texts": [], "pairs": {}, "inner": None}) == b""


def test_methods() -> None:
    assert SCHEMA.methods["Door"] == {
        "Open": protobuf.Method("/test.v1.Door/Open", "All", "Few"),
        "Watch": protobuf.Method("/test.v1.Door/Watch", "Few", "All", streams=True),
    }


INNER = st.recursive(
    st.fixed_dictionaries({"name": st.text(min_size=1)}),
    lambda inner: st.fixed_dictionaries({"name": st.text(min_size=1), "next": inner}),
    max_leaves=3,
)
ALL = st.fixed_dictionaries(
    {},
    optional={
        "large": st.integers(-(1 << 63), (1 << 63) - 1).filter(bool),
        "count": st.integers(1, (1 << 64) - 1),
        "raw": st.binary(min_size=1),
        "texts": st.lists(st.text(), min_size=1),
        "numbers": st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1),
        "inners": st.dictionaries(st.text(), INNER, min_size=1),
        "many": st.lists(INNER, min_size=1),
    },
)


@given(ALL)
def test_what_is_sent_arrives(value: protobuf.Message) -> None:
    assert SCHEMA.decode("All", SCHEMA.encode("All", value)) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_malformed(raw: bytes) -> None:
    with contextlib.suppress(protobuf.Malformed):
        SCHEMA.decode("All", raw)
