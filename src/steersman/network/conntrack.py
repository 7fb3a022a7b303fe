"""Forget tracked connections whose destination was translated to an endpoint that is gone.

A UDP "connection" lives as long as its client keeps sending, so the kernel would send it to a dead endpoint for ever. (TCP ends
by itself, and a terminating endpoint must be allowed to finish.) Raw ctnetlink: one dump, one delete for each.
"""

import dataclasses
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator

from steersman.network import namespaces

_NETFILTER = 12
_NEW, _GET, _DELETE = 0x100, 0x101, 0x102  # ctnetlink is subsystem 1
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_TUPLE_ORIGINAL, _TUPLE_REPLY = 1, 2
_TUPLE_ADDRESSES, _TUPLE_PROTOCOL = 1, 2
_SOURCE = {socket.AF_INET: 1, socket.AF_INET6: 3}
_DESTINATION = {socket.AF_INET: 2, socket.AF_INET6: 4}
_PROTOCOL_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_NESTED = 0x8000
_ALL_KINDS = 0x3FFF
_READ_BYTES = 1 << 16

NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}


@dataclasses.dataclass(frozen=True, slots=True)
class Flow:
    """One connection: where its client wanted to go, and who answers (`endpoint`, the same when nothing is translated)."""

    protocol: int
    address: str
    port: int
    endpoint: str


class Conntrack:
    """The table of one network namespace, in one address family. One thread at a time."""

    def __init__(self, namespace: str | None = None, family: socket.AddressFamily = socket.AF_INET) -> None:
        self._family = family
        self._socket = namespaces.open_socket(namespace, socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def forget(self, is_stale: Callable[[Flow], bool]) -> int:
        """Delete the connections for which `is_stale`; how many there were."""
        stale = [original for flow, original in self._dump() if is_stale(flow)]
        for original in stale:
            self._delete(original)
        return len(stale)

    def _dump(self) -> Iterator[tuple[Flow, bytes]]:
        self._send(_GET, _REQUEST | _DUMP, b"")
        for payload in self._answers():
            attributes = dict(_attributes(payload[4:]))
            flow = _flow(attributes, self._family)
            if flow is not None:
                yield flow, attributes[_TUPLE_ORIGINAL]

    def _delete(self, original: bytes) -> None:
        body = struct.pack("=HH", 4 + len(original), _TUPLE_ORIGINAL | _NESTED) + original
        self._send(_DELETE, _REQUEST | _ACK, body)
        try:
            list(self._answers())
        except OSError as error:
            if error.errno != errno.ENOENT:  # it ended by itself
                raise

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        payload = struct.pack("=BBH", self._family, 0, 0) + body
        self._socket.send(struct.pack("=IHHII", 16 + len(payload), kind, flags, self._sequence, 0) + payload)

    def _answers(self) -> Iterator[bytes]:
        while True:
            data = self._socket.recv(_READ_BYTES)
            at = 0
            while at < len(data):
                length, kind, _, sequence, _ = struct.unpack_from("=IHHII", data, at)
                payload = data[at + 16 : at + length]
                at += (length + 3) & ~3
                if sequence != self._sequence:
                    continue
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    (code,) = struct.unpack_from("=i", payload)
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    return
                yield payload


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & _ALL_KINDS, data[at + 4 : at + length]
        at += (length + 3) & ~3


def _flow(attributes: dict[int, bytes], family: socket.AddressFamily) -> Flow | None:
    """None for what has no ports or no addresses of the family."""
    original = dict(_attributes(attributes.get(_TUPLE_ORIGINAL, b"")))
    reply = dict(_attributes(attributes.get(_TUPLE_REPLY, b"")))
    addresses = dict(_attributes(original.get(_TUPLE_ADDRESSES, b"")))
    answering = dict(_attributes(reply.get(_TUPLE_ADDRESSES, b"")))
    ports = dict(_attributes(original.get(_TUPLE_PROTOCOL, b"")))
    wanted, endpoint = addresses.get(_DESTINATION[family]), answering.get(_SOURCE[family])
    port = ports.get(_DESTINATION_PORT)
    if wanted is None or endpoint is None or port is None:
        return None
    (number,) = struct.unpack("!H", port)
    ends = (socket.inet_ntop(family, packed) for packed in (wanted, endpoint))
    address, answers = ends
    return Flow(ports[_PROTOCOL_NUMBER][0], address, number, answers)
