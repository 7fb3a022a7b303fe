"""A store whose content lives in memory for reading and in etcd for keeping: `EtcdStore.open(address)`.

`mirror` keeps the memory; a transaction is etcd's own, guarded by the revisions it was computed from.

Keeps true: a transaction is answered when a quorum of etcd has it and the memory here shows it. A read shows everything that was
acknowledged before it began, by whichever API server: it first asks etcd for our newest revision (one question for all reads that
wait) and lets the memory catch up.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Self

import grpc.aio
from aetcd import rpc

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.store import contract, memory
from steersman.store.contract import Cause, Delete, Entry, Put
from steersman.store.etcd import records
from steersman.store.etcd.addresses import Address
from steersman.store.etcd.connection import Connection, Member, failures, prefix_end
from steersman.store.etcd.leases import Leases
from steersman.store.etcd.mirror import Mirror
from steersman.store.memory import DEFAULT_LIMITS, Limits

_log = logging.getLogger(__name__)

TRIES_MAX = 10  # of a transaction that asks for no revision, against writers who are always faster


class EtcdStore(Mirror):
    """`contract.Store` in etcd, under `prefix`."""

    expires = True

    def __init__(self, connection: Connection, clock: Clock, prefix: str, limits: Limits) -> None:
        super().__init__(connection, clock, prefix, limits)
        self._leases = Leases(connection, clock)
        self._asking = asyncio.Lock()
        self._next_question: asyncio.Task[int | contract.StoreError] | None = None  # not sent yet: readers may join it
        self._tasks = Tasks("store")

    @classmethod
    async def open(
        cls, address: Address, clock: Clock, *, prefix: str = "/steersman", limits: Limits = DEFAULT_LIMITS
    ) -> Self:
        """Read what is there. Raises Unavailable."""
        store = cls(Connection(address, clock), clock, prefix, limits)
        try:
            await store._load()
            store._start_following()
            await store._caught_up()
        except BaseException:
            await store.close()
            raise
        return store

    def _start_following(self) -> None:
        self._follower = self._tasks.start("watch", self._follow())

    # --- reading ---

    async def get(self, key: str, *, at_revision: int = 0) -> Entry | None:
        await self._caught_up()
        return await super().get(key, at_revision=at_revision)

    async def list(self, prefix: str, *, at_revision: int = 0, limit: int = 0, start: str = "") -> contract.Page:
        await self._caught_up()
        return await super().list(prefix, at_revision=at_revision, limit=limit, start=start)

    async def _caught_up(self) -> None:
        """Everything acknowledged before this call is in memory. Raises Unavailable."""
        # A question that has been sent may have been answered before this call began: only the next one will do.
        if self._next_question is None:
            self._next_question = self._tasks.start("newest revision", _settled(self._ask_newest()))
        await self._reached(_result(await asyncio.shield(self._next_question)))

    async def _ask_newest(self) -> int:
        async with self._asking:  # one at a time, so that all who come meanwhile share the next one
            self._next_question = None
            found = await self._ask_range(rpc.RangeRequest(key=self._cause_key, keys_only=True))
        return found.kvs[0].mod_revision if found.kvs else 0

    # --- writing ---

    async def txn(self, operations: Sequence[Put | Delete], cause: Cause = contract.NOBODY) -> int:
        memory.check_operations(operations, min(contract.OPERATIONS_MAX, self._limits.operations_per_transaction))
        # Once begun it goes on also when the caller is cancelled: nobody knows how far it has got.
        writing = self._tasks.start("transaction", _settled(self._write(operations, cause)))
        return _result(await asyncio.shield(writing))

    async def _write(self, operations: Sequence[Put | Delete], cause: Cause) -> int:
        if any(isinstance(operation, Delete) for operation in operations):
            await self._caught_up()
        for _ in range(TRIES_MAX):
            present = {one.key: self._state.get(one.key) for one in operations if isinstance(one, Delete)}
            effective = [one for one in operations if isinstance(one, Put) or present[one.key] is not None]
            request = rpc.TxnRequest(compare=self._guards(operations, present))
            request.failure.extend(rpc.RequestOp(request_range=self._range(one.key)) for one in operations)
            for operation in effective:
                request.success.append(await self._step(operation))
            if effective:
                put = rpc.PutRequest(key=self._cause_key, value=records.of_cause(cause, effective))
                request.success.append(rpc.RequestOp(request_put=put))
            response = await self._connection.tell(lambda member: member.kv.Txn, request)
            if response.succeeded:
                if effective:
                    await self._shown(response.header.revision)
                return response.header.revision if effective else self._state.revision
            await self._check(operations, response)
        raise contract.UnknownOutcome("others wrote the same each time")

    def _guards(self, operations: Sequence[Put | Delete], present: dict[str, Entry | None]) -> Sequence[Any]:
        """What must hold: the revisions that were asked for, and that what is deleted is what memory shows."""
        guards = []
        for operation in operations:
            expect = operation.expect
            if isinstance(operation, Delete) and expect is None:
                entry = present[operation.key]
                expect = entry.revision if entry is not None else 0
            if expect is not None:
                guards.append(
                    rpc.Compare(
                        key=self._path(operation.key),
                        target=rpc.Compare.MOD,
                        result=rpc.Compare.EQUAL,
                        mod_revision=expect,
                    )
                )
        return guards

    async def _step(self, operation: Put | Delete) -> Any:
        path = self._path(operation.key)
        if isinstance(operation, Delete):
            return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=path))
        lease = await self._leases.of(operation.ttl_seconds)
        put = rpc.PutRequest(key=path, value=records.of_object(operation), lease=lease)
        return rpc.RequestOp(request_put=put)

    async def _shown(self, revision: int) -> None:
        """It is written; what remains is to see it. Raises UnknownOutcome when that takes too long."""
        try:
            await self._reached(revision)
        except contract.Unavailable as error:
            raise contract.UnknownOutcome(f"written at revision {revision}, and not seen yet") from error

    async def _check(self, operations: Sequence[Put | Delete], response: Any) -> None:
        """Raises Mismatch with what is there now; returns where it was only memory that was behind."""
        await self._reached(max((kv.mod_revision for kv in failures(response)), default=0))
        await self._caught_up()
        for operation in operations:
            entry = self._state.get(operation.key)
            if operation.expect is not None and operation.expect != (entry.revision if entry is not None else 0):
                raise contract.Mismatch(operation.key, entry)

    def _range(self, key: str) -> Any:
        return rpc.RangeRequest(key=self._path(key), keys_only=True)

    def _path(self, key: str) -> bytes:
        return self._objects + key.encode()

    # --- forgetting ---

    async def compact(self, revision: int) -> None:
        await self._caught_up()
        self._state.check_kept(revision)
        await self._compact_etcd(revision)
        self._state.forget(revision)

    def _compact(self, revision: int) -> None:
        self._state.forget(revision)
        self._tasks.start("compaction", self._compact_later(revision))

    async def _compact_later(self, revision: int) -> None:
        try:
            await self._compact_etcd(revision)
        except contract.StoreError as error:  # no harm: it keeps more than it needs until the next time
            _log.warning("etcd could not be compacted: %s", error)

    async def _compact_etcd(self, revision: int) -> None:
        try:
            await self._connection.ask(_compact_call, rpc.CompactionRequest(revision=revision))
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.OUT_OF_RANGE:  # somebody else was faster
                raise

    async def close(self) -> None:
        await self._tasks.close()
        await super().close()
        await self._connection.close()


async def purge(address: Address, clock: Clock, *, prefix: str) -> None:
    """Delete everything under `prefix`. Raises Unavailable."""
    connection, start = Connection(address, clock), f"{prefix}/".encode()
    try:
        request = rpc.DeleteRangeRequest(key=start, range_end=prefix_end(start))
        await connection.ask(lambda member: member.kv.DeleteRange, request)
    finally:
        await connection.close()


async def _settled(work: Coroutine[Any, Any, int]) -> int | contract.StoreError:
    """The outcome as a value: a refusal is for whoever asked, not a crash of the task that asks."""
    try:
        return await work
    except contract.StoreError as refusal:
        return refusal


def _result(settled: int | contract.StoreError) -> int:
    if isinstance(settled, contract.StoreError):
        raise settled
    return settled


def _compact_call(member: Member) -> Any:
    return member.kv.Compact
