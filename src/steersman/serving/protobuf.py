"""Protocol Buffers, version 3, as far as node interfaces (CRI, device plugins, …) need them: a `.proto` file is read when it is
first used, messages are plain dicts with the file's field names.

A field that is not there has its default. Enumerations are their names. Not here: oneof (its fields are plain fields), groups,
extensions, nested declarations, and version 2. Source: the Protocol Buffers language guide and encoding.
"""

import dataclasses
import functools
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Message = dict[str, Any]

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_VARINTS = frozenset({"int32", "int64", "uint32", "uint64", "bool"})
_TOKEN = re.compile(r"[\w.]+|[{}()<>=;,]")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_SIGNED = frozenset({"int32", "int64"})  # negative numbers of either are ten bytes long
DEPTH_MOST = 32


class Malformed(ValueError):
    """Bytes that are no such message."""


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """`key` is the type of a map's keys; empty: no map."""

    name: str
    number: int
    type: str
    repeated: bool = False
    key: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """`path` as HTTP/2 requests name it."""

    path: str
    request: str
    response: str
    streams: bool = False


class Schema:
    def __init__(self, text: str) -> None:
        self.messages: dict[str, dict[int, Field]] = {}
        self.enums: dict[str, dict[str, int]] = {}
        self.methods: dict[str, dict[str, Method]] = {}
        self._package = ""
        tokens = iter(_TOKEN.findall(_COMMENT.sub("", re.sub(r'"[^"]*"', "text", text))))
        for token in tokens:
            READERS[token](self, tokens)
        self._enum_names = {name: {number: key for key, number in one.items()} for name, one in self.enums.items()}

    def encode(self, message: str, value: Mapping[str, Any]) -> bytes:
        """Raises KeyError for what the message does not have."""
        by_name = {field.name: field for field in self.messages[message].values()}
        out = bytearray()
        for name, one in value.items():
            self._encode_field(by_name[name], one, out)
        return bytes(out)

    def decode(self, message: str, data: bytes, depth: int = 0) -> Message:
        """Raises Malformed. Fields nobody knows are skipped."""
        if depth > DEPTH_MOST:
            raise Malformed("messages in messages too deep")
        found: Message = {}
        fields = self.messages[message]
        try:
            for number, wire, raw in _fields(data):
                if (field := fields.get(number)) is not None:
                    self._decode_field(field, wire, raw, found, depth)
        except (IndexError, struct.error, UnicodeDecodeError) as wrong:
            raise Malformed(f"not a {message}: {wrong}") from wrong
        return found

    # --- reading a file ---

    def _skip(self, tokens: Iterator[str]) -> None:
        for token in tokens:
            if token == ";":
                return

    def _read_package(self, tokens: Iterator[str]) -> None:
        self._package = next(tokens)
        self._skip(tokens)

    def _read_enum(self, tokens: Iterator[str]) -> None:
        values = self.enums.setdefault(next(tokens), {})
        next(tokens)
        for token in tokens:
            if token == "}":
                return
            next(tokens)
            values[token] = int(next(tokens))
            next(tokens)

    def _read_message(self, tokens: Iterator[str]) -> None:
        fields = self.messages.setdefault(next(tokens), {})
        next(tokens)
        for token in tokens:
            if token == "}":
                return
            field = _read_field(token, tokens)
            fields[field.number] = field

    def _read_service(self, tokens: Iterator[str]) -> None:
        service = next(tokens)
        methods = self.methods.setdefault(service, {})
        next(tokens)
        for token in tokens:
            if token == "}":
                return
            name, _, request, _, _, _, response = (next(tokens) for _ in range(7))
            streams = response == "stream"
            response = next(tokens) if streams else response
            methods[name] = Method(f"/{self._package}.{service}/{name}", request, response, streams)
            for _ in range(3):  # ) { }
                next(tokens)

    # --- bytes ---

    def _encode_field(self, field: Field, value: Any, out: bytearray) -> None:
        if value is None:
            return
        if field.key:
            for key, one in value.items():
                entry = bytearray()
                self._encode_one(Field("key", 1, field.key), key, entry)
                self._encode_one(Field("value", 2, field.type), one, entry)
                _put_bytes(field.number, bytes(entry), out)
        elif field.repeated:
            for one in value:
                self._encode_one(field, one, out)
        elif field.type in self.messages or value:
            self._encode_one(field, value, out)

    def _encode_one(self, field: Field, value: Any, out: bytearray) -> None:
        kind = field.type
        if kind in self.messages:
            _put_bytes(field.number, self.encode(kind, value), out)
        elif kind == "string":
            _put_bytes(field.number, value.encode(), out)
        elif kind == "bytes":
            _put_bytes(field.number, value, out)
        elif kind in ("double", "float"):
            _put_varint(field.number << 3 | (FIXED64 if kind == "double" else FIXED32), out)
            out += struct.pack("<d" if kind == "double" else "<f", value)
        else:
            _put_varint(field.number << 3 | VARINT, out)
            _put_varint(self.enums[kind][value] if kind in self.enums else int(value) & (1 << 64) - 1, out)

    def _decode_field(self, field: Field, wire: int, raw: bytes | int, found: Message, depth: int) -> None:
        if field.key:
            key, value = self._entry(field, _long(raw), depth)
            found.setdefault(field.name, {})[key] = value
        elif not field.repeated:
            found[field.name] = self._value(field.type, raw, depth)
        elif wire == LENGTH and (field.type in _VARINTS or field.type in self.enums):
            packed = (self._value(field.type, one, depth) for one in _varints(_long(raw)))
            found.setdefault(field.name, []).extend(packed)
        else:
            found.setdefault(field.name, []).append(self._value(field.type, raw, depth))

    def _entry(self, field: Field, raw: bytes, depth: int) -> tuple[Any, Any]:
        pair = {1: self._default(field.key), 2: self._default(field.type)}
        for number, _, one in _fields(raw):
            pair[number] = self._value(field.key if number == 1 else field.type, one, depth)
        return pair[1], pair[2]

    def _default(self, kind: str) -> Any:
        if kind in self.messages:
            return {}
        return "" if kind == "string" else b"" if kind == "bytes" else 0

    def _value(self, kind: str, raw: bytes | int, depth: int) -> Any:
        if kind in self.messages:
            return self.decode(kind, _long(raw), depth + 1)
        if kind in ("double", "float"):
            return struct.unpack("<d" if kind == "double" else "<f", _long(raw))[0]
        if kind in ("string", "bytes"):
            return _long(raw).decode() if kind == "string" else _long(raw)
        if not isinstance(raw, int):
            raise Malformed(f"{kind} as bytes")
        if kind in self.enums:
            return self._enum_names[kind].get(raw, str(raw))
        if kind == "bool":
            return bool(raw)
        return raw - (1 << 64) if kind in _SIGNED and raw >= 1 << 63 else raw


READERS: dict[str, Callable[[Schema, Iterator[str]], None]] = {
    "syntax": Schema._skip,
    "package": Schema._read_package,
    "enum": Schema._read_enum,
    "message": Schema._read_message,
    "service": Schema._read_service,
}


@functools.cache
def load(path: Path) -> Schema:
    return Schema(path.read_text())


def _read_field(token: str, tokens: Iterator[str]) -> Field:
    key, repeated, kind = "", token == "repeated", token
    if repeated:
        kind = next(tokens)
    elif token == "map":
        _, key, _, kind, _ = (next(tokens) for _ in range(5))
    name, _, number, _ = (next(tokens) for _ in range(4))
    return Field(name, int(number), kind, repeated, key)


def _fields(data: bytes) -> Iterator[tuple[int, int, bytes | int]]:
    """(number, wire type, value)"""
    at = 0
    while at < len(data):
        tag, at = _get_varint(data, at)
        number, wire = tag >> 3, tag & 7
        raw: bytes | int
        if wire == VARINT:
            raw, at = _get_varint(data, at)
        elif wire in (LENGTH, FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            if wire == LENGTH:
                size, at = _get_varint(data, at)
            if at + size > len(data):
                raise Malformed("a field is longer than its message")
            raw, at = data[at : at + size], at + size
        else:
            raise Malformed(f"wire type {wire}")
        yield number, wire, raw


def _long(raw: bytes | int) -> bytes:
    if isinstance(raw, int):
        raise Malformed("a number where a longer value belongs")
    return raw


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _get_varint(data, at)
        yield value


def _get_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        shift += 7
        if shift > 63:
            raise Malformed("a number is too long")


def _put_varint(value: int, out: bytearray) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _put_bytes(number: int, raw: bytes, out: bytearray) -> None:
    _put_varint(number << 3 | LENGTH, out)
    _put_varint(len(raw), out)
    out += raw
