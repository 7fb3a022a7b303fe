"""The store of a simulated cluster: a memory store that history hears of, that may be slow, and may not say what it did.

It outlives every API server, as etcd does. Each server has a way of its own to it, `WayToStore`, on which it may crash.
"""

from collections.abc import Callable, Sequence

from steersman.aio.clock import Clock
from steersman.simulation.history import History
from steersman.simulation.weather import Weather
from steersman.store import contract, memory, state
from steersman.store.contract import Cause, Delete, Put


class SimulatedStore(memory.MemoryStore):
    def __init__(self, content: state.State, history: History, weather: Weather, clock: Clock) -> None:
        super().__init__(content=content)
        self._history = history
        self._weather = weather
        self._clock = clock
        self._planned: memory.Events = []

    async def get(self, key: str, *, at_revision: int = 0) -> contract.Entry | None:
        await self._dawdle()
        return await super().get(key, at_revision=at_revision)

    async def list(self, prefix: str, *, at_revision: int = 0, limit: int = 0, start: str = "") -> contract.Page:
        await self._dawdle()
        return await super().list(prefix, at_revision=at_revision, limit=limit, start=start)

    async def txn(self, operations: Sequence[Put | Delete], cause: Cause = contract.NOBODY) -> int:
        await self._dawdle()
        before, after = self._doubts()
        if before:
            raise contract.UnknownOutcome("simulated: the connection was lost before the answer")
        revision = await super().txn(operations, cause)
        await self._dawdle()
        if after:
            raise contract.UnknownOutcome("simulated: the connection was lost before the answer")
        return revision

    def _make_visible(self, events: memory.Events) -> None:
        self._planned = events
        super()._make_visible(events)

    def _keep_cause(self, revision: int, cause: Cause) -> None:
        super()._keep_cause(revision, cause)
        self._history.add(self._planned, cause, self._clock.monotonic())

    async def _dawdle(self) -> None:
        for fault, chance in self._weather.store():
            if fault.kind == "slow-store" and chance.random() < fault.chance:
                await self._clock.sleep(chance.uniform(0, fault.amount))

    def _doubts(self) -> tuple[bool, bool]:
        """Whether this transaction does not happen, or happens, and nobody is told."""
        for fault, chance in self._weather.store():
            if fault.kind == "unknown-outcome" and chance.random() < fault.chance:
                return (True, False) if chance.random() < 0.5 else (False, True)
        return False, False


class WayToStore:
    """A `contract.Store`. `step()` is called before and after each transaction: an API server may crash right there."""

    expires = False

    def __init__(self, store: SimulatedStore, step: Callable[[], None]) -> None:
        self._store = store
        self._step = step

    @property
    def revision(self) -> int:
        return self._store.revision

    @property
    def compacted_revision(self) -> int:
        return self._store.compacted_revision

    async def changes(self, prefix: str, after_revision: int) -> Sequence[contract.Event]:
        return await self._store.changes(prefix, after_revision)

    async def get(self, key: str, *, at_revision: int = 0) -> contract.Entry | None:
        return await self._store.get(key, at_revision=at_revision)

    async def list(self, prefix: str, *, at_revision: int = 0, limit: int = 0, start: str = "") -> contract.Page:
        return await self._store.list(prefix, at_revision=at_revision, limit=limit, start=start)

    async def txn(self, operations: Sequence[Put | Delete], cause: Cause = contract.NOBODY) -> int:
        self._step()
        revision = await self._store.txn(operations, cause)
        self._step()
        return revision

    def watch(self, prefix: str, after_revision: int, interest: contract.Interest | None = None) -> contract.Watch:
        return self._store.watch(prefix, after_revision, interest)

    async def compact(self, revision: int) -> None:
        await self._store.compact(revision)

    async def cause(self, revision: int) -> Cause | None:
        return await self._store.cause(revision)

    async def close(self) -> None:
        """The store outlives it."""
