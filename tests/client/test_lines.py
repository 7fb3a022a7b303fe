import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.client import lines


async def pieces_of(pieces):
    for piece in pieces:
        yield piece


async def collect(pieces):
    return [line async for batch in lines.split(pieces_of(pieces)) for line in batch]


@given(st.lists(st.binary(min_size=1, max_size=6).map(lambda b: b.replace(b"\n", b"x"))), st.data())
def test_lines_survive_any_cut(wanted, data):
    whole = b"".join(line + b"\n" for line in wanted)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert asyncio.run(collect([piece for piece in pieces if piece])) == wanted


async def test_a_line_that_was_cut_off_is_not_delivered():
    assert await collect([b"one\ntw", b"o\nthr"]) == [b"one", b"two"]


async def test_empty_lines_are_skipped():
    assert await collect([b"\n\none\n\n"]) == [b"one"]


async def test_an_endless_line_is_refused(monkeypatch):
    monkeypatch.setattr(lines, "LINE_BYTES_MAX", 10)
    with pytest.raises(ValueError, match="line of more than"):
        await collect([b"123456", b"78901"])
