"""SPDY/3.1 sessions over a raw connection: streams for remote commands and port-forward, either side.

Keeps true: a stream's bytes arrive in order and end exactly once; unread bytes of a session stay below a limit (then it is
not read further); a broken peer ends the session, never the process.

Flow control: windows are announced as data is consumed. A peer's windows are only obeyed once it has sent a WINDOW_UPDATE:
client-go's library (moby/spdystream) neither sends nor reads them, so that waiting for one would hang for ever.
"""

import asyncio
import collections
from collections.abc import Callable, Mapping

from steersman.serving import spdy_frames
from steersman.serving.messages import Duplex
from steersman.serving.spdy_frames import ProtocolError

WINDOW_BYTES = 65536  # SPDY's initial window
DATA_MOST_BYTES = 32768  # of one frame we send: others' frames get between
UNREAD_MOST_BYTES = 1024 * 1024  # of one stream, for peers that know no windows
STREAMS_MOST = 1000
RST_PROTOCOL_ERROR, RST_INVALID_STREAM, RST_REFUSED_STREAM, RST_CANCEL = 1, 2, 3, 5


class Closed(Exception):
    """The stream or the session has ended."""


class Stream:
    """One two-way stream. `headers` are the opener's, names in lower case."""

    def __init__(self, session: "Session", number: int, headers: Mapping[str, str]) -> None:
        self.id = number
        self.headers = headers
        self._session = session
        self._pieces: collections.deque[bytes] = collections.deque()
        self._unread = 0
        self._consumed = 0
        self._ended = False  # the peer sends no more
        self._finished = False  # we send no more
        self._window = session.peer_window
        self._changed = asyncio.Event()

    async def receive(self) -> bytes:
        """Next bytes; b"" when the peer has finished (or the stream was reset, or the session ended)."""
        while not self._pieces:
            if self._ended:
                return b""
            await self._wait()
        data = self._pieces.popleft()
        self._unread -= len(data)
        self._wake()
        await self._consume(len(data))
        return data

    async def send(self, data: bytes) -> None:
        """Raises Closed when nobody can receive it any more."""
        for start in range(0, len(data), DATA_MOST_BYTES):
            piece = data[start : start + DATA_MOST_BYTES]
            while self._session.obeys_windows and self._window <= 0 and not self._finished:
                await self._wait()
            if self._finished:
                raise Closed(f"stream {self.id} has ended")
            self._window -= len(piece)
            await self._session.write(spdy_frames.Data(self.id, piece))

    async def finish(self) -> None:
        """Say that we send no more. Idempotent."""
        if not self._finished:
            self._finished = True
            await self._session.write(spdy_frames.Data(self.id, b"", fin=True))
            self._session.forget_if_over(self)

    async def reset(self) -> None:
        if not (self._finished and self._ended):
            self._finished = self._ended = True
            await self._session.write(spdy_frames.RstStream(self.id, RST_CANCEL))
            self._wake()
            self._session.forget_if_over(self)

    async def close(self) -> None:
        """As `Duplex.close`: we send no more."""
        await self.finish()

    @property
    def is_over(self) -> bool:
        return self._ended and self._finished

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()

    async def _consume(self, count: int) -> None:
        """Give the window back in halves, so that not every piece costs a frame."""
        self._consumed += count
        if self._consumed >= WINDOW_BYTES // 2 and not self._ended:
            delta, self._consumed = self._consumed, 0
            await self._session.write(spdy_frames.WindowUpdate(self.id, delta))

    # --- called by the session -----------------------------------------------------------------------------------

    async def take(self, data: bytes, *, fin: bool) -> None:
        if self._ended:
            return
        if data:
            self._pieces.append(data)
            self._unread += len(data)
        if fin:
            self._ended = True
            self._session.forget_if_over(self)
        self._wake()
        while self._unread > UNREAD_MOST_BYTES and not self._ended:
            await self._wait()

    def end(self) -> None:
        self._ended = self._finished = True
        self._wake()

    def widen(self, delta: int) -> None:
        self._window += delta
        self._wake()


class Session:
    """`on_stream(stream)` is called for every stream the peer opens (already accepted); it must not block."""

    def __init__(
        self, duplex: Duplex, *, server: bool = True, on_stream: Callable[[Stream], None] | None = None
    ) -> None:
        self._duplex = duplex
        self._server = server
        self._on_stream = on_stream
        self._reader = spdy_frames.FrameReader()
        self._writer = spdy_frames.FrameWriter()
        self._streams: dict[int, Stream] = {}
        self._next_id = 2 if server else 1
        self._last_id = 0
        self._consumed = 0
        self._sending = asyncio.Lock()
        self._closed = False
        self.peer_window = WINDOW_BYTES
        self.obeys_windows = False
        self.ended = asyncio.Event()

    async def run(self) -> None:
        """Read until the peer ends the connection or breaks the protocol; then every stream has ended."""
        try:
            while data := await self._duplex.receive():
                for frame in self._reader.feed(data):
                    await self._take(frame)
        except ProtocolError:
            await self._say_goodbye(spdy_frames.GoAway(self._last_id, 1))
        finally:
            self._closed = True
            for stream in list(self._streams.values()):
                stream.end()
            self._streams.clear()
            self.ended.set()

    async def open(self, headers: Mapping[str, str], *, fin: bool = False) -> Stream:
        number, self._next_id = self._next_id, self._next_id + 2
        stream = Stream(self, number, headers)
        self._streams[number] = stream
        await self.write(spdy_frames.SynStream(number, headers, fin=fin))
        stream._finished = fin
        return stream

    async def ping(self) -> None:
        """A sign of life; the other side answers by itself."""
        await self.write(spdy_frames.Ping(2 if self._server else 1))

    async def close(self) -> None:
        """Say goodbye and end the connection."""
        if not self._closed:
            await self._say_goodbye(spdy_frames.GoAway(self._last_id))
        await self._duplex.close()

    async def write(self, frame: spdy_frames.Frame) -> None:
        if self._closed:
            raise Closed("the session has ended")
        async with self._sending:
            await self._duplex.send(self._writer.encode(frame))

    def forget_if_over(self, stream: Stream) -> None:
        if stream.is_over:
            self._streams.pop(stream.id, None)

    async def _say_goodbye(self, frame: spdy_frames.GoAway) -> None:
        try:
            await self.write(frame)
        except (Closed, OSError):
            return

    async def _take(self, frame: spdy_frames.Frame) -> None:
        if isinstance(frame, spdy_frames.Data):
            await self._take_data(frame)
        elif isinstance(frame, spdy_frames.SynStream):
            await self._take_stream(frame)
        elif isinstance(frame, spdy_frames.SynReply | spdy_frames.Headers):
            if frame.fin and frame.stream in self._streams:
                await self._streams[frame.stream].take(b"", fin=True)
        elif isinstance(frame, spdy_frames.RstStream):
            found = self._streams.pop(frame.stream, None)
            if found is not None:
                found.end()
        elif isinstance(frame, spdy_frames.Ping):
            if (frame.id % 2 == 1) == self._server:
                await self.write(frame)
        elif isinstance(frame, spdy_frames.Settings):
            if frame.initial_window is not None:
                self.peer_window = frame.initial_window
        elif isinstance(frame, spdy_frames.WindowUpdate):
            self.obeys_windows = True
            if frame.stream in self._streams:
                self._streams[frame.stream].widen(frame.delta)

    async def _take_data(self, frame: spdy_frames.Data) -> None:
        self._consumed += len(frame.data)
        if self._consumed >= WINDOW_BYTES // 2:  # of the session's own window; streams hold back by theirs
            delta, self._consumed = self._consumed, 0
            await self.write(spdy_frames.WindowUpdate(0, delta))
        stream = self._streams.get(frame.stream)
        if stream is not None:
            await stream.take(frame.data, fin=frame.fin)

    async def _take_stream(self, frame: spdy_frames.SynStream) -> None:
        right_side = (frame.stream % 2 == 1) == self._server
        if not right_side or frame.stream <= self._last_id:
            raise ProtocolError(f"stream {frame.stream} cannot be opened now")
        self._last_id = frame.stream
        if len(self._streams) >= STREAMS_MOST or self._on_stream is None:
            await self.write(spdy_frames.RstStream(frame.stream, RST_REFUSED_STREAM))
            return
        stream = self._streams[frame.stream] = Stream(self, frame.stream, frame.headers)
        await self.write(spdy_frames.SynReply(frame.stream, {}))
        if frame.fin:
            await stream.take(b"", fin=True)
        if frame.unidirectional:
            stream._finished = True
        self._on_stream(stream)
