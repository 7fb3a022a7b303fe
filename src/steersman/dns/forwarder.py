"""Names that are not the cluster's: asked of the machine's own resolvers, and remembered for a short while.

Each question goes out from a port of its own with a random number, so that nobody who cannot see it can answer it.
A resolver that did not answer is left alone for a few seconds; when none is left the answer is "server failure" at once, because a
pod that waits for a resolver that is not there waits for its whole start.
"""

import asyncio
import contextlib
import ipaddress
import logging
import pathlib
import socket
import struct
from collections.abc import Callable, Sequence

from steersman.aio.clock import Clock
from steersman.dns import wire

log = logging.getLogger(__name__)

OpenSocket = Callable[[int, int], socket.socket]
"""(family, kind) → a socket in the network namespace the resolvers are reached from."""

_PORT = 53
_TRY_SECONDS = 1.0  # a resolver that is there answers in milliseconds; after that another one is asked, too
_GIVE_UP_SECONDS = 4.0  # stub resolvers wait for five
_REST_SECONDS = 3.0
_KEEP_MAX_SECONDS = 30  # upstream's `cache 30`
_CACHE_MAX = 1_000
_UNDER_WAY_MAX = 500

_Key = tuple[bool, bytes]
"""(by TCP, the question but for its number)"""


class Failed(OSError):
    """No resolver gave an answer."""


class Forwarder:
    def __init__(self, upstreams: Sequence[str], clock: Clock, open_socket: OpenSocket | None = None) -> None:
        """`upstreams` are addresses, or `ADDRESS#PORT`."""
        self._upstreams = [_endpoint(text) for text in upstreams]
        self._clock = clock
        self._open_socket = open_socket or socket.socket
        self._resting_until: dict[tuple[str, int], float] = {}
        self._cache: dict[_Key, tuple[float, bytes, list[tuple[int, int]]]] = {}
        self._under_way = 0
        self.hits = 0  # questions answered by what was kept

    async def ask(self, message: bytes, *, by_tcp: bool = False) -> bytes:
        """The answer to a whole query, with the query's number. Raises Failed."""
        key = (by_tcp, message[2:])
        kept = self._kept(key)
        if kept is not None:
            self.hits += 1
            return message[:2] + kept
        if self._under_way >= _UNDER_WAY_MAX:
            raise Failed(f"{_UNDER_WAY_MAX} questions are under way already")
        self._under_way += 1
        try:
            answer = await self._ask_in_turn(message, by_tcp=by_tcp)
        finally:
            self._under_way -= 1
        self._keep(key, answer)
        return message[:2] + answer[2:]

    async def addresses(self, name: str, kind: int) -> list[wire.Record]:
        """A or AAAA records of an outside name, under that name whatever aliases lie between. Raises Failed."""
        answer = await self.ask(wire.format_query(0, name, kind))
        if wire.code_of(answer) not in (wire.NOERROR, wire.NXDOMAIN):
            raise Failed(f"{name}: code {wire.code_of(answer)}")
        try:
            found = wire.answers_of(answer, kind)
        except wire.Malformed as error:
            raise Failed(f"{name}: {error}") from error
        return [wire.Record(name, kind, ttl, data) for ttl, data in found]

    async def _ask_in_turn(self, message: bytes, *, by_tcp: bool) -> bytes:
        """The first answer. The next resolver is asked when one refuses or is slow; the slow one may still answer, too."""
        now = self._clock.monotonic()
        usable = [one for one in self._upstreams if self._resting_until.get(one, 0.0) <= now]
        if not usable:
            why = f"{self._upstreams[0][0]} did not answer just now" if self._upstreams else "there is no resolver"
            raise Failed(why)
        asked: dict[asyncio.Task[bytes], tuple[str, int]] = {}
        why = ""
        try:
            async with self._clock.timeout(_GIVE_UP_SECONDS):
                for upstream in usable:
                    ask = self._ask_by_tcp if by_tcp else self._ask_by_udp
                    asked[asyncio.create_task(ask(upstream, message))] = upstream
                    patience = _TRY_SECONDS if upstream is not usable[-1] else None
                    while asked:
                        done, _ = await asyncio.wait(asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                        if not done:
                            break  # slow: somebody else, too
                        for task in done:
                            upstream_of_task = asked.pop(task)
                            failure = task.exception()
                            if failure is None:
                                return task.result()
                            why = f"{upstream_of_task[0]}: {failure or type(failure).__name__}"
                            if not isinstance(failure, OSError | wire.Malformed | asyncio.IncompleteReadError):
                                raise failure
                            self._let_rest(upstream_of_task, why)
        except TimeoutError:
            for upstream in asked.values():
                why = f"{upstream[0]}: no answer"
                self._let_rest(upstream, why)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise Failed(why)

    def _let_rest(self, upstream: tuple[str, int], why: str) -> None:
        self._resting_until[upstream] = self._clock.monotonic() + _REST_SECONDS
        log.info("resolver %s", why)

    async def _ask_by_udp(self, upstream: tuple[str, int], message: bytes) -> bytes:
        number = int(self._clock.uid()[:4], 16).to_bytes(2, "big")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        with contextlib.ExitStack() as stack:
            channel = stack.enter_context(self._open_socket(_family(upstream[0]), socket.SOCK_DGRAM))
            channel.setblocking(False)
            channel.connect(upstream)  # a datagram socket: takes no time, and only the resolver can answer
            transport, _ = await loop.create_datagram_endpoint(lambda: _OneAnswer(number, answer), sock=channel)
            stack.callback(transport.close)
            transport.sendto(number + message[2:])
            return await answer

    async def _ask_by_tcp(self, upstream: tuple[str, int], message: bytes) -> bytes:
        channel = self._open_socket(_family(upstream[0]), socket.SOCK_STREAM)
        try:
            channel.setblocking(False)
            await asyncio.get_running_loop().sock_connect(channel, upstream)
            reader, writer = await asyncio.open_connection(sock=channel)
        except BaseException:
            channel.close()
            raise
        try:
            writer.write(struct.pack("!H", len(message)) + message)
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = await reader.readexactly(length)
            if length < wire.HEADER_BYTES:
                raise wire.Malformed("cut short")
            return answer
        finally:
            writer.close()

    def _kept(self, key: _Key) -> bytes | None:
        """The kept answer without its number, its lifetimes shortened by the time it was kept."""
        found = self._cache.get(key)
        if found is None:
            return None
        until, answer, lifetimes = found
        left = int(until - self._clock.monotonic())
        if left <= 0:
            del self._cache[key]
            return None
        changed = bytearray(answer)
        for at, seconds in lifetimes:
            struct.pack_into("!I", changed, at, min(seconds, left))
        return bytes(changed[2:])

    def _keep(self, key: _Key, answer: bytes) -> None:
        if wire.code_of(answer) not in (wire.NOERROR, wire.NXDOMAIN) or wire.is_truncated(answer):
            return
        try:
            lifetimes = wire.lifetimes(answer)
        except wire.Malformed:
            return  # the client may make more of it than we can; it is only not kept
        if not lifetimes:
            return
        seconds = min(_KEEP_MAX_SECONDS, *(seconds for _, seconds in lifetimes))
        if seconds > 0:
            if len(self._cache) >= _CACHE_MAX:
                del self._cache[next(iter(self._cache))]
            self._cache[key] = (self._clock.monotonic() + seconds, answer, lifetimes)


class _OneAnswer(asyncio.DatagramProtocol):
    def __init__(self, number: bytes, answer: "asyncio.Future[bytes]") -> None:
        self._number = number
        self._answer = answer

    def datagram_received(self, data: bytes, _: object) -> None:
        if data[:2] == self._number and len(data) >= wire.HEADER_BYTES and not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, failure: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(failure)


def resolvers_of(resolv_conf: str | pathlib.Path) -> list[str]:
    """The `nameserver` lines of a resolv.conf, in order; none where there is no such file."""
    try:
        lines = pathlib.Path(resolv_conf).read_text().splitlines()
    except FileNotFoundError:
        return []
    found = [line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1]
    return [address for address in found if _is_address(address.partition("%")[0])]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.partition("#")
    return address, int(port or _PORT)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
