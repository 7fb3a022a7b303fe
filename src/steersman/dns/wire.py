"""DNS messages as bytes (RFC 1035, 2782, 6891): what a server for a cluster reads and writes, and no more. Pure.

A question comes back exactly as it was asked, capitals included: some resolvers check that.
"""

import dataclasses
import socket
import struct
from collections.abc import Iterable, Sequence

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 12, 16, 28, 33, 41, 255
IN = 1

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5

HEADER_BYTES = 12
PLAIN_UDP_BYTES = 512
# What fits any path without fragments (DNS flag day 2020); a client may ask for less, and gets no more.
EDNS_UDP_BYTES = 1232
TCP_BYTES = 65_535

_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION_AVAILABLE = 0x8000, 0x0400, 0x0200, 0x0080
_KEPT_FLAGS = 0x0110  # recursion desired, checking disabled: echoed
_OPCODE = 0x7800


class Malformed(ValueError):
    """Not a DNS message one can answer with more than its own header."""


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """`name` is in lower case, without the last dot; `question` as it came; `udp_bytes` what an answer by UDP may have."""

    id: int
    flags: int
    name: str
    type: int
    cls: int
    question: bytes
    udp_bytes: int
    has_edns: bool

    @property
    def opcode(self) -> int:
        return (self.flags & _OPCODE) >> 11


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    name: str
    type: int
    ttl: int
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    code: int = NOERROR
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()


def parse_query(data: bytes) -> Query:
    """Raises Malformed (also for a response, which nobody may answer)."""
    try:
        number, flags, questions, answers, authority, additional = struct.unpack_from("!HHHHHH", data)
        if flags & _RESPONSE:
            raise Malformed("a response")
        if questions != 1:
            raise Malformed(f"{questions} questions")
        name, end = _parse_name(data, HEADER_BYTES)
        kind, cls = struct.unpack_from("!HH", data, end)
        end += 4
        udp_bytes, has_edns = PLAIN_UDP_BYTES, False
        for record_type, record_class, _ in _records(data, end, answers + authority + additional):
            if record_type == OPT:
                has_edns = True
                udp_bytes = min(max(record_class, PLAIN_UDP_BYTES), EDNS_UDP_BYTES)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Malformed("cut short") from error
    return Query(number, flags, name.lower(), kind, cls, data[HEADER_BYTES:end], udp_bytes, has_edns)


def format_query(number: int, name: str, kind: int) -> bytes:
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + format_name(name) + struct.pack("!HH", kind, IN)


def format_answer(query: Query, answer: Answer, limit_bytes: int, *, authoritative: bool = True) -> bytes:
    """The whole message, or, where it would be longer than the limit, an empty one that says so."""
    sections = (answer.answers, answer.authority, answer.additional)
    body = b"".join(_format_record(record, query.name) for section in sections for record in section)
    counts = [len(section) for section in sections]
    if HEADER_BYTES + len(query.question) + len(body) + (11 if query.has_edns else 0) > limit_bytes:
        return _message(query, answer.code, [0, 0, 0], b"", _TRUNCATED, authoritative=authoritative)
    return _message(query, answer.code, counts, body, 0, authoritative=authoritative)


def format_refusal(data: bytes, code: int) -> bytes:
    """An answer to what could not be parsed: its number and the code. Empty where even that is missing."""
    if len(data) < HEADER_BYTES or data[2] & 0x80:
        return b""
    (flags,) = struct.unpack_from("!H", data, 2)
    return data[:2] + struct.pack("!HHHHH", _RESPONSE | (flags & (_KEPT_FLAGS | _OPCODE)) | code, 0, 0, 0, 0)


def _message(query: Query, code: int, counts: Sequence[int], body: bytes, flags: int, *, authoritative: bool) -> bytes:
    flags |= _RESPONSE | _RECURSION_AVAILABLE | (query.flags & (_KEPT_FLAGS | _OPCODE)) | code
    if authoritative:
        flags |= _AUTHORITATIVE
    answers, authority, additional = counts
    edns = b""
    if query.has_edns:
        edns = struct.pack("!BHHIH", 0, OPT, EDNS_UDP_BYTES, 0, 0)
        additional += 1
    return struct.pack("!HHHHHH", query.id, flags, 1, answers, authority, additional) + query.question + body + edns


def _format_record(record: Record, asked: str) -> bytes:
    name = b"\xc0\x0c" if record.name == asked else format_name(record.name)  # a pointer to the question's name
    return name + struct.pack("!HHIH", record.type, IN, record.ttl, len(record.data)) + record.data


def format_name(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".")] if name else []
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def address_record(name: str, address: str, ttl: int) -> Record:
    if ":" in address:
        return Record(name, AAAA, ttl, socket.inet_pton(socket.AF_INET6, address))
    return Record(name, A, ttl, socket.inet_aton(address))


def name_record(name: str, kind: int, target: str, ttl: int) -> Record:
    """CNAME, NS or PTR."""
    return Record(name, kind, ttl, format_name(target))


def srv_record(name: str, weight: int, port: int, target: str, ttl: int) -> Record:
    return Record(name, SRV, ttl, struct.pack("!HHH", 0, weight, port) + format_name(target))


def text_record(name: str, text: str, ttl: int) -> Record:
    return Record(name, TXT, ttl, bytes((len(text),)) + text.encode())


def soa_record(name: str, server: str, contact: str, serial: int, ttl: int) -> Record:
    """Refresh, retry and expiry are upstream's; nobody transfers this zone. The last number is how long a "no" may be kept."""
    numbers = struct.pack("!IIIII", serial, 7200, 1800, 86400, ttl)
    return Record(name, SOA, ttl, format_name(server) + format_name(contact) + numbers)


def name_in_data(data: bytes, at: int) -> str:
    """A name that one of the functions above wrote."""
    return _parse_name(data, at)[0]


def code_of(message: bytes) -> int:
    return message[3] & 0x0F


def is_truncated(message: bytes) -> bool:
    return bool(message[2] & 0x02)


def lifetimes(message: bytes) -> list[tuple[int, int]]:
    """(offset, seconds) of every record's time to live in a response. Raises Malformed."""
    try:
        _, _, questions, answers, authority, additional = struct.unpack_from("!HHHHHH", message)
        end = HEADER_BYTES
        for _ in range(questions):
            end = _skip_name(message, end) + 4
        found = []
        for kind, _, at in _records(message, end, answers + authority + additional):
            if kind != OPT:
                found.append((at, struct.unpack_from("!I", message, at)[0]))
    except (struct.error, IndexError) as error:
        raise Malformed("cut short") from error
    return found


def answers_of(message: bytes, kind: int) -> list[tuple[int, bytes]]:
    """(time to live, data) of the answer section's records of one type, where the data holds no names. Raises Malformed."""
    try:
        _, _, questions, answers, _, _ = struct.unpack_from("!HHHHHH", message)
        end = HEADER_BYTES
        for _ in range(questions):
            end = _skip_name(message, end) + 4
        found = []
        for record_type, _, at in _records(message, end, answers):
            if record_type == kind:
                ttl, length = struct.unpack_from("!IH", message, at)
                found.append((ttl, message[at + 6 : at + 6 + length]))
    except (struct.error, IndexError) as error:
        raise Malformed("cut short") from error
    return found


def _records(data: bytes, at: int, count: int) -> Iterable[tuple[int, int, int]]:
    """(type, class, offset of the time to live) of each."""
    for _ in range(count):
        at = _skip_name(data, at)
        kind, cls, _, length = struct.unpack_from("!HHIH", data, at)
        yield kind, cls, at + 4
        at += 10 + length


def _parse_name(data: bytes, at: int) -> tuple[str, int]:
    """A name without compression, as questions have it; and where it ends."""
    labels = []
    while length := data[at]:
        if length > 63:
            raise Malformed("a compressed question")
        label = data[at + 1 : at + 1 + length]
        if b"." in label:
            raise Malformed("a dot inside a label")
        labels.append(label.decode("ascii"))
        at += 1 + length
    return ".".join(labels), at + 1


def _skip_name(data: bytes, at: int) -> int:
    while length := data[at]:
        if length >= 0xC0:
            return at + 2
        at += 1 + length
    return at + 1
