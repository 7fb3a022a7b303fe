"""Leases for entries that go by themselves: shared, so that a flood of events does not become a flood of leases.

A lease serves entries of the same lifetime for a minute, or a thousand of them; it lives that minute longer than they ask for.
Upstream's lease manager has the same numbers.
"""

import asyncio
import dataclasses

from aetcd import rpc

from steersman.aio.clock import Clock
from steersman.store.etcd.connection import Connection

REUSE_SECONDS = 60.0
ENTRIES_MAX = 1_000


@dataclasses.dataclass(slots=True)
class _Lease:
    id: int
    reuse_until: float
    entries: int = 0


class Leases:
    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._newest: dict[int, _Lease] = {}  # by lifetime in seconds
        self._granting = asyncio.Lock()

    async def of(self, seconds: int) -> int:
        """The id of a lease that lives at least `seconds` from now; 0 for what stays."""
        if not seconds:
            return 0
        async with self._granting:
            lease = self._newest.get(seconds)
            if lease is None or lease.entries >= ENTRIES_MAX or self._clock.monotonic() > lease.reuse_until:
                lease = self._newest[seconds] = await self._grant(seconds)
            lease.entries += 1
            return lease.id

    async def _grant(self, seconds: int) -> _Lease:
        until = self._clock.monotonic() + REUSE_SECONDS
        # An answer that got lost costs nothing: a lease without entries ends by itself.
        request = rpc.LeaseGrantRequest(TTL=seconds + int(REUSE_SECONDS))
        granted = await self._connection.ask(lambda member: member.lease.LeaseGrant, request)
        return _Lease(granted.ID, until)
