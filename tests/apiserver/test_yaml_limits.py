"""YAML bodies that would take the server's memory or its stack are refused, at once; others are read."""

from typing import Any

import pytest

from steersman.apiserver import negotiation
from steersman.meta.errors import StatusError

NINEFOLD = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
)
NINEFOLD_MERGES = b"a: &a {k: 1, l: 2, m: 3}\n" + b"".join(
    b"%c: &%c {<<: [%s]}\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(NINEFOLD, "excessive aliasing", id="aliases of aliases"),
        pytest.param(NINEFOLD_MERGES, "excessive aliasing", id="merges of merges"),
        pytest.param(
            b"a: &a " + b"x" * 100_000 + b"\nb: [" + b"*a," * 1000 + b"]", "excessive aliasing", id="one long text"
        ),
        pytest.param(b"[" * 100_000, "depth", id="deep lists"),
        pytest.param(b"{a: " * 100_000, "depth", id="deep maps"),
        pytest.param(b"- " * 100_000, "depth", id="deep lists in one line"),
        pytest.param(b"a: &a [*a]", "contains itself", id="a list in itself"),
        pytest.param(b"a: &a {b: {c: *a}}", "contains itself", id="a map in itself"),
        pytest.param(b"a: *a", "undefined alias", id="an alias of nothing"),
        pytest.param(
            b'!!python/object/apply:os.system ["id"]', "could not determine a constructor", id="a tag of Python"
        ),
    ],
)
def test_refused(body: bytes, words: str):
    with pytest.raises(StatusError) as refused:
        negotiation.read_yaml(body)
    assert refused.value.code == 400
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b"a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}, id="an alias"),
        pytest.param(b"a: &x {k: 1}\nb: {<<: *x, l: 2}", {"a": {"k": 1}, "b": {"k": 1, "l": 2}}, id="a merge"),
        pytest.param(b"[" * 200 + b"]" * 200, None, id="fairly deep"),
        pytest.param(b'{"a": [1, "2"]}', {"a": [1, "2"]}, id="JSON"),
        pytest.param(b"a: 2020-01-01", {"a": "2020-01-01"}, id="a date"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_read(body: bytes, value: Any):
    found = negotiation.read_yaml(body)
    assert value is None or found == value
