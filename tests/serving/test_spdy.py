"""SPDY: frames survive the wire, sessions carry streams, and no bytes crash them."""

import asyncio
import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.serving import spdy, spdy_frames
from steersman.serving.messages import MemoryDuplex

NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
STREAMS = st.integers(1, 2**31 - 1)
FRAMES = st.one_of(
    st.builds(spdy_frames.Data, STREAMS, st.binary(max_size=200), st.booleans()),
    st.builds(spdy_frames.SynStream, STREAMS, st.dictionaries(NAMES, TEXTS, max_size=5), st.booleans(), st.booleans()),
    st.builds(spdy_frames.SynReply, STREAMS, st.dictionaries(NAMES, TEXTS, max_size=5), st.booleans()),
    st.builds(spdy_frames.Headers, STREAMS, st.dictionaries(NAMES, TEXTS, max_size=5), st.booleans()),
    st.builds(spdy_frames.RstStream, STREAMS, st.integers(1, 11)),
    st.builds(spdy_frames.Settings, st.one_of(st.none(), STREAMS)),
    st.builds(spdy_frames.Ping, st.integers(0, 2**32 - 1)),
    st.builds(spdy_frames.GoAway, STREAMS, st.integers(0, 2)),
    st.builds(spdy_frames.WindowUpdate, STREAMS, STREAMS),
)


def test_the_dictionary_is_the_published_one() -> None:
    assert zlib.adler32(spdy_frames.DICTIONARY) == 0xE3C6A7C2, "as in the first bytes of every SPDY/3 header block"


@given(st.lists(FRAMES, max_size=10), st.integers(1, 50))
def test_frames_survive_the_wire_however_it_is_cut(frames: list[spdy_frames.Frame], size: int) -> None:
    writer, reader = spdy_frames.FrameWriter(), spdy_frames.FrameReader()
    wire = b"".join(writer.encode(frame) for frame in frames)
    found = [frame for start in range(0, len(wire), size) for frame in reader.feed(wire[start : start + size])]
    assert found == frames


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_nonsense_is_a_protocol_error_at_worst(pieces: list[bytes]) -> None:
    reader = spdy_frames.FrameReader()
    with contextlib.suppress(spdy_frames.ProtocolError):
        for piece in pieces:
            reader.feed(piece)


@given(st.integers(1, 12), st.binary(max_size=60))
def test_nonsense_in_a_control_frame_is_a_protocol_error_at_worst(kind: int, body: bytes) -> None:
    wire = (0x80030000 | kind).to_bytes(4, "big") + len(body).to_bytes(4, "big") + body
    with contextlib.suppress(spdy_frames.ProtocolError):
        spdy_frames.FrameReader().feed(wire)


def test_a_header_bomb_is_refused() -> None:
    deflate = zlib.compressobj(zdict=spdy_frames.DICTIONARY)
    block = deflate.compress(b"\0" * 10_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
    wire = b"\x80\x03\x00\x02\x00" + (4 + len(block)).to_bytes(3, "big") + b"\0\0\0\1" + block
    with pytest.raises(spdy_frames.ProtocolError):
        spdy_frames.FrameReader().feed(wire)


class Ends:
    """Two sessions that speak to each other."""

    def __init__(self) -> None:
        left, right = MemoryDuplex.pair()
        self.opened: asyncio.Queue[spdy.Stream] = asyncio.Queue()
        self.server = spdy.Session(left, on_stream=self.opened.put_nowait)
        self.client = spdy.Session(right, server=False)

    async def __aenter__(self) -> "Ends":
        self._tasks = [asyncio.create_task(one.run()) for one in (self.server, self.client)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.server.close()
        await asyncio.wait(self._tasks)


async def test_a_stream_carries_bytes_both_ways_and_ends() -> None:
    async with Ends() as ends:
        mine = await ends.client.open({"streamType": "stdin"})
        theirs = await ends.opened.get()
        assert theirs.headers == {"streamtype": "stdin"}
        await mine.send(b"hello")
        await mine.finish()
        assert [await theirs.receive(), await theirs.receive()] == [b"hello", b""]
        await theirs.send(b"answer")
        await theirs.finish()
        assert [await mine.receive(), await mine.receive()] == [b"answer", b""]
        with pytest.raises(spdy.Closed):
            await theirs.send(b"more")


async def test_much_data_passes_windows() -> None:
    async with Ends() as ends:
        mine = await ends.client.open({})
        theirs = await ends.opened.get()
        data = bytes(range(256)) * 8192  # 2 MiB, twice what may wait unread
        sending = asyncio.create_task(mine.send(data))
        received = b""
        while len(received) < len(data):
            received += await theirs.receive()
        await sending
        assert received == data


async def test_a_reset_ends_the_stream_for_both() -> None:
    async with Ends() as ends:
        mine = await ends.client.open({})
        theirs = await ends.opened.get()
        await mine.reset()
        assert await theirs.receive() == b""
        with pytest.raises(spdy.Closed):
            await theirs.send(b"x")


async def test_streams_end_with_the_connection() -> None:
    left, right = MemoryDuplex.pair()
    opened: asyncio.Queue[spdy.Stream] = asyncio.Queue()
    session = spdy.Session(left, on_stream=opened.put_nowait)
    running = asyncio.create_task(session.run())
    await right.send(spdy_frames.FrameWriter().encode(spdy_frames.SynStream(1, {"a": "b"})))
    stream = await opened.get()
    await right.close()
    assert await stream.receive() == b""
    await running


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([spdy_frames.SynStream(2, {})], id="a number of ours"),
        pytest.param([spdy_frames.SynStream(3, {}), spdy_frames.SynStream(1, {})], id="numbers going back"),
    ],
)
async def test_a_peer_that_breaks_the_rules_is_sent_away(frames: list[spdy_frames.Frame]) -> None:
    left, right = MemoryDuplex.pair()
    session = spdy.Session(left, on_stream=lambda stream: None)
    writer = spdy_frames.FrameWriter()
    for frame in frames:
        await right.send(writer.encode(frame))
    await session.run()
    reader = spdy_frames.FrameReader()
    seen: list[spdy_frames.Frame] = []
    while not any(isinstance(frame, spdy_frames.GoAway) for frame in seen):
        seen += reader.feed(await right.receive())
    assert seen[-1].status == 1  # type: ignore[union-attr]
