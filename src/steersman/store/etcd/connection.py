"""gRPC to the members of an etcd cluster: one channel each, the one that answered last is asked first.

Keeps true: what may be asked again (`ask`) is asked of every member until one answers or time is up; what may not (`tell`) is sent
once, and ends in UnknownOutcome when nobody knows what became of it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc.aio
from aetcd import rpc

from steersman.aio.clock import Clock
from steersman.store import contract
from steersman.store.etcd.addresses import Address

ASK_SECONDS = 5.0  # upstream's health checks and reads give up in this time, too
TELL_SECONDS = 10.0
RETRY_PAUSE_SECONDS = 0.1
CLOSE_SECONDS = 1.0
CONNECT_POLL_SECONDS = 0.01
# etcd refuses pings more often than every 5 s; a member that is cut off is noticed within the sum of both.
_OPTIONS = (
    ("grpc.keepalive_time_ms", 6_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
# A member without a leader answers at once instead of waiting for one: another may have one.
_WITH_LEADER = (("hasleader", "true"),)
_TEMPORARY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
)


class Member:
    """One member's channel and what can be asked of it."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.kv = rpc.KVStub(channel)
        self.watch = rpc.WatchStub(channel)
        self.lease = rpc.LeaseStub(channel)


class Connection:
    def __init__(self, address: Address, clock: Clock) -> None:
        self._clock = clock
        self._members = [Member(_channel(url, address)) for url in address.urls]

    async def close(self) -> None:
        await asyncio.gather(*(member.channel.close(CLOSE_SECONDS) for member in self._members))

    async def ask(self, call: Callable[[Member], Any], request: Any) -> Any:
        """The answer of whoever gives one. Raises Unavailable, or AioRpcError where the answer is a refusal."""
        deadline = self._clock.monotonic() + ASK_SECONDS
        while True:
            member, left = self._members[0], deadline - self._clock.monotonic()
            try:
                share = max(0.05, left / len(self._members))
                return await call(member)(request, timeout=share, metadata=_WITH_LEADER)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _TEMPORARY:
                    raise
                self.avoid(member)
                if self._clock.monotonic() + RETRY_PAUSE_SECONDS > deadline:
                    raise contract.Unavailable(f"etcd does not answer: {error.details()}") from error
            await self._clock.sleep(RETRY_PAUSE_SECONDS)

    async def tell(self, call: Callable[[Member], Any], request: Any) -> Any:
        """The answer to what must not be sent twice. Raises UnknownOutcome, Refused, Unavailable."""
        member = await self._connected()
        try:
            return await call(member)(request, timeout=TELL_SECONDS, metadata=_WITH_LEADER)
        except grpc.aio.AioRpcError as error:
            if error.code() not in _TEMPORARY:
                raise contract.Refused(error.details()) from error
            self.avoid(member)
            raise contract.UnknownOutcome(f"etcd did not answer: {error.details()}") from error

    async def _connected(self) -> Member:
        """A member that can be sent to: what was never sent has no unknown outcome. Raises Unavailable."""
        deadline = self._clock.monotonic() + ASK_SECONDS
        while True:
            for member in self._members:
                if member.channel.get_state(try_to_connect=True) == grpc.ChannelConnectivity.READY:
                    return member
            if self._clock.monotonic() > deadline:
                raise contract.Unavailable("no connection to etcd")
            await self._clock.sleep(CONNECT_POLL_SECONDS)

    @contextlib.asynccontextmanager
    async def watching(self, request: Any) -> AsyncIterator[AsyncIterator[Any]]:
        """The answers of one watch, until it ends. Raises AioRpcError."""
        member = self._members[0]
        stream = member.watch.Watch(metadata=_WITH_LEADER)
        try:
            await stream.write(rpc.WatchRequest(create_request=request))
            yield aiter(stream)
        except grpc.aio.AioRpcError:
            self.avoid(member)
            raise
        finally:
            stream.cancel()

    def avoid(self, member: Member) -> None:
        """Ask another one first from now on."""
        if self._members[0] is member:
            self._members = [*self._members[1:], member]


def _channel(url: str, address: Address) -> grpc.aio.Channel:
    target = url.partition("//")[2]
    if url.startswith("http:"):
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    read = [
        path.read_bytes() if path is not None else None
        for path in (address.authority, address.key, address.certificate)
    ]
    return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(*read), options=_OPTIONS)


def prefix_end(prefix: bytes) -> bytes:
    """The first key behind all that begin with `prefix`, as etcd names ranges."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,)) if trimmed else b"\0"


def failures(response: Any) -> Sequence[Any]:
    """The key-values that the ranges of a refused transaction found."""
    return [kv for one in response.responses for kv in one.response_range.kvs]
