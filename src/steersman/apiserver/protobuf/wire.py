"""Protobuf's wire format: tags, varints and length-delimited fields. Pure. Source: "Encoding" in the protobuf documentation."""

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_VARINT_BYTES_MAX = 10


class Malformed(ValueError):
    """These bytes are no protobuf message."""


def fields(data: bytes | memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """(number, wire type, value): an int for numbers (unsigned), a view for length-delimited fields. Raises Malformed."""
    view = memoryview(data)
    at, end = 0, len(view)
    while at < end:
        tag, at = varint(view, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = varint(view, at)
            yield number, kind, value
        elif kind == BYTES:
            length, at = varint(view, at)
            if at + length > end:
                raise Malformed("unexpected EOF")
            yield number, kind, view[at : at + length]
            at += length
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
            if at + size > end:
                raise Malformed("unexpected EOF")
            yield number, kind, int.from_bytes(view[at : at + size], "little")
            at += size
        else:
            raise Malformed(f"illegal wireType {kind}")


def varint(view: memoryview, at: int) -> tuple[int, int]:
    """The number at `at` and the place behind it."""
    result = shift = 0
    for _ in range(_VARINT_BYTES_MAX):
        if at >= len(view):
            raise Malformed("unexpected EOF")
        byte = view[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise Malformed("integer overflow")


def signed(value: int) -> int:
    """A varint as int64."""
    return value - (1 << 64) if value >= 1 << 63 else value


def double(value: int) -> float:
    found: float = struct.unpack("<d", value.to_bytes(8, "little"))[0]
    return found


def from_double(value: float) -> bytes:
    return struct.pack("<d", value)


def write_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_bytes(number: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return write_varint(number << 3 | BYTES) + write_varint(len(raw)) + raw


def write_int(number: int, value: int) -> bytes:
    return write_varint(number << 3 | VARINT) + write_varint(value & 0xFFFFFFFFFFFFFFFF)


def write_bool(number: int, value: bool) -> bytes:
    return write_varint(number << 3 | VARINT) + (b"\x01" if value else b"\x00")
