"""grpc.health.v1.Health/Check with as much HTTP/2 as one plain-text call needs.

Source: gRPC's health checking protocol, RFC 9113, and RFC 7541 for the answer's headers, which are not decoded: the
message says SERVING or not, and an answer without a message is a refusal.
"""

import asyncio
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
ACK, END_STREAM, END_HEADERS = 1, 1, 4
FRAME_MOST_BYTES = 16384
FRAMES_MOST = 64
SERVING = 1
STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


async def check(host: str, port: int, service: str, agent: str) -> tuple[bool, str]:
    """(serves, text for the event). Raises OSError, ValueError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        name = service.encode()
        message = b"\x0a" + _length(len(name)) + name if name else b""
        body = b"\0" + struct.pack(">I", len(message)) + message
        writer.write(
            PREFACE
            + _frame(SETTINGS, 0, 0, b"")
            + _frame(HEADERS, END_HEADERS, 1, _headers(f"{host}:{port}", agent))
            + _frame(DATA, END_STREAM, 1, body)
        )
        return _read_state(await _answer(reader, writer), service)
    except asyncio.IncompleteReadError as error:
        raise ValueError("error: health rpc failed: connection closed") from error
    finally:
        writer.transport.abort()


def _length(size: int) -> bytes:
    """As protobuf writes it: seven bits a byte, the lowest first."""
    written = bytearray()
    while size > 127:
        written.append(size & 127 | 128)
        size >>= 7
    return bytes([*written, size])


def _read_state(body: bytes, service: str) -> tuple[bool, str]:
    if len(body) < 5:
        return False, f'error: health rpc failed for service "{service}"'
    message = body[5 : 5 + struct.unpack(">I", body[1:5])[0]]
    state = message[1] if len(message) >= 2 and message[0] == 0x08 else 0
    if state == SERVING:
        return True, "service healthy"
    return False, f'service unhealthy (responded with "{STATES.get(state, str(state))}")'


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    body = b""
    for _ in range(FRAMES_MOST):
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        if length > FRAME_MOST_BYTES:
            raise ValueError("frame too large")
        payload = await reader.readexactly(length)
        if kind == SETTINGS and not flags & ACK:
            writer.write(_frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            writer.write(_frame(PING, ACK, 0, payload))
        elif kind == DATA:
            body += payload
        if kind in (RST_STREAM, GOAWAY) or (kind in (DATA, HEADERS) and flags & END_STREAM):
            return body
    raise ValueError("no answer")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _headers(authority: str, agent: str) -> bytes:
    """Literal header fields without indexing and without Huffman coding: nothing to keep in step with the peer."""
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("user-agent", agent),
        ("te", "trailers"),
    ]
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _text(text: str) -> bytes:
    raw = text.encode()
    assert len(raw) < 127, "longer texts need a length in several bytes"
    return bytes([len(raw)]) + raw
