"""SPDY/3.1 frames: bytes to values and back. Pure.

Old kubectl and client-go speak it for exec, attach and port-forward. Source: "SPDY Protocol - Draft 3.1" (framing layer).
Anything that is not SPDY raises `ProtocolError`; limits stand on sizes before memory is spent.
"""

import dataclasses
import struct
import zlib
from collections.abc import Iterator, Mapping

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FLAG_FIN, FLAG_UNIDIRECTIONAL = 1, 2
SETTING_INITIAL_WINDOW = 7

# A data frame's length has 24 bits; what clients send fits 32 KiB. Headers are a few words.
FRAME_MOST_BYTES = 1 << 24
CONTROL_MOST_BYTES = 64 * 1024
HEADERS_MOST_BYTES = 64 * 1024
HEADERS_MOST = 256

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status|200 OK|version|HTTP/1.1|url public set-cookie "
    "keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _words() -> Iterator[str]:
    for number, part in enumerate(_WORDS.split("|")):
        yield from [part] if number in (1, 3) else part.split(" ")


# The dictionary that both sides' zlib starts from; its Adler-32 is in every stream's first bytes.
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word.encode() for word in _words()) + _TAIL.encode()


class ProtocolError(Exception):
    """These bytes are not SPDY/3.1, or beyond a limit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    fin: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class SynStream:
    stream: int
    headers: Mapping[str, str]
    fin: bool = False
    unidirectional: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class SynReply:
    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Headers:
    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class RstStream:
    stream: int
    status: int


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    initial_window: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    id: int


@dataclasses.dataclass(frozen=True, slots=True)
class GoAway:
    last_stream: int
    status: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class WindowUpdate:
    stream: int
    delta: int


Frame = Data | SynStream | SynReply | Headers | RstStream | Settings | Ping | GoAway | WindowUpdate


class FrameReader:
    """Bytes in, whole frames out. One per direction: header compression has a memory."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> list[Frame]:
        """Raises ProtocolError; the connection is then of no more use."""
        self._buffer += data
        frames: list[Frame] = []
        while len(self._buffer) >= 8:
            first, second = struct.unpack_from(">II", self._buffer)
            length = second & 0xFFFFFF
            is_control = bool(first >> 31)
            if is_control and length > CONTROL_MOST_BYTES:
                raise ProtocolError(f"control frame of {length} bytes")
            if len(self._buffer) < 8 + length:
                break
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            flags = second >> 24
            if not is_control:
                frames.append(Data(first & 0x7FFFFFFF, body, bool(flags & FLAG_FIN)))
                continue
            if (first >> 16) & 0x7FFF != VERSION:
                raise ProtocolError("not SPDY version 3")
            found = self._control(first & 0xFFFF, flags, body)
            if found is not None:
                frames.append(found)
        return frames

    def _control(self, kind: int, flags: int, body: bytes) -> Frame | None:
        fin = bool(flags & FLAG_FIN)
        try:
            if kind == SYN_STREAM:
                stream = struct.unpack_from(">II", body)[0] & 0x7FFFFFFF
                return SynStream(stream, self._headers(body[10:]), fin, bool(flags & FLAG_UNIDIRECTIONAL))
            if kind in (SYN_REPLY, HEADERS):
                stream = struct.unpack_from(">I", body)[0] & 0x7FFFFFFF
                made = SynReply if kind == SYN_REPLY else Headers
                return made(stream, self._headers(body[4:]), fin)
            if kind == RST_STREAM:
                stream, status = struct.unpack_from(">II", body)
                return RstStream(stream & 0x7FFFFFFF, status)
            if kind == SETTINGS:
                return _settings(body)
            if kind == PING:
                return Ping(struct.unpack_from(">I", body)[0])
            if kind == GOAWAY:
                last, status = struct.unpack_from(">II", body)
                return GoAway(last & 0x7FFFFFFF, status)
            if kind == WINDOW_UPDATE:
                stream, delta = struct.unpack_from(">II", body)
                return WindowUpdate(stream & 0x7FFFFFFF, delta & 0x7FFFFFFF)
        except struct.error as error:
            raise ProtocolError(f"frame of type {kind} is too short") from error
        return None  # of a type from the future: to be ignored

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            raw = self._inflate.decompress(block, HEADERS_MOST_BYTES)
        except zlib.error as error:
            raise ProtocolError(f"headers cannot be decompressed: {error}") from error
        if self._inflate.unconsumed_tail:
            raise ProtocolError("headers too long")
        return _parse_headers(raw)


def _parse_headers(raw: bytes) -> dict[str, str]:
    (count,) = struct.unpack_from(">I", raw)
    if count > HEADERS_MOST:
        raise ProtocolError(f"{count} headers")
    found, at = {}, 4
    for _ in range(count):
        texts = []
        for _ in range(2):
            (length,) = struct.unpack_from(">I", raw, at)
            if at + 4 + length > len(raw):
                raise ProtocolError("header longer than its frame")
            texts.append(raw[at + 4 : at + 4 + length].decode("latin-1"))
            at += 4 + length
        found[texts[0].lower()] = texts[1]
    return found


def _settings(body: bytes) -> Settings:
    (count,) = struct.unpack_from(">I", body)
    window = None
    for index in range(min(count, len(body) // 8)):
        identity, value = struct.unpack_from(">II", body, 4 + 8 * index)
        if identity & 0xFFFFFF == SETTING_INITIAL_WINDOW:
            window = value & 0x7FFFFFFF
    return Settings(window)


class FrameWriter:
    """Frames in, bytes out. One per direction; frames go out in the order they were made."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def encode(self, frame: Frame) -> bytes:
        if isinstance(frame, Data):
            flags = FLAG_FIN if frame.fin else 0
            return struct.pack(">II", frame.stream, flags << 24 | len(frame.data)) + frame.data
        if isinstance(frame, SynStream):
            flags = (FLAG_FIN if frame.fin else 0) | (FLAG_UNIDIRECTIONAL if frame.unidirectional else 0)
            body = struct.pack(">IIH", frame.stream, 0, 0) + self._headers(frame.headers)
            return _control(SYN_STREAM, flags, body)
        if isinstance(frame, SynReply | Headers):
            kind = SYN_REPLY if isinstance(frame, SynReply) else HEADERS
            body = struct.pack(">I", frame.stream) + self._headers(frame.headers)
            return _control(kind, FLAG_FIN if frame.fin else 0, body)
        if isinstance(frame, RstStream):
            return _control(RST_STREAM, 0, struct.pack(">II", frame.stream, frame.status))
        if isinstance(frame, Settings):
            if frame.initial_window is None:
                return _control(SETTINGS, 0, struct.pack(">I", 0))
            return _control(SETTINGS, 0, struct.pack(">III", 1, SETTING_INITIAL_WINDOW, frame.initial_window))
        if isinstance(frame, Ping):
            return _control(PING, 0, struct.pack(">I", frame.id))
        if isinstance(frame, GoAway):
            return _control(GOAWAY, 0, struct.pack(">II", frame.last_stream, frame.status))
        return _control(WINDOW_UPDATE, 0, struct.pack(">II", frame.stream, frame.delta))

    def _headers(self, headers: Mapping[str, str]) -> bytes:
        raw = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.lower().encode("latin-1"), value.encode("latin-1")):
                raw += struct.pack(">I", len(text)) + text
        return self._deflate.compress(raw) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, kind, flags << 24 | len(body)) + body
