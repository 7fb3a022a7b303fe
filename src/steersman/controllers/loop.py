"""The one loop that runs every controller: observe, decide, apply, wait.

A controller is a declaration (`Controller`): which kinds it watches and which keys their changes wake, how to observe a
key, how to decide. What is hard stands here once: each key is worked on by one worker at a time, changes that come in
bursts are decided once, a key is not decided again before the caches show its own last writes, refusals are retried
with a growing pause, and a stale view (conflict) leads to a fresh look and nothing else.

Leaves to others: running the caches (`client.cache.Caches`), being the only one (`client.leader_election`).
"""

import asyncio
import dataclasses
import datetime
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from steersman.aio import workers, workqueue
from steersman.aio.clock import Clock
from steersman.api.kind import Kind
from steersman.client.cache import Cache, Caches
from steersman.client.client import Client, Unreachable
from steersman.controllers import apply
from steersman.controllers.apply import Outcome, Recorder
from steersman.controllers.decision import Decision, Failure
from steersman.controllers.expectations import Expectations
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# client-go's DefaultControllerRateLimiter lets 10 retries a second through for all keys together; one machine can
# take more, and a burst of conflicts after a failover should not take minutes to settle.
RATES = workqueue.Rates(initial_seconds=0.005, max_seconds=60.0, refill_per_second=100.0, burst=1000)


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What `observe` may use. Objects from the caches are shared: never change them."""

    caches: Caches
    client: Client
    now: datetime.datetime
    failure: Failure | None


Keys = Callable[[Caches, Object], Iterable[str]]
Maybe = Object | None


@dataclasses.dataclass(frozen=True, slots=True)
class Watch:
    """A change from `old` to `new` wakes `keys` of both, if `matters(old, new)`. With no keys it only feeds the cache.

    `note(old, new)` is told every change first, for the little that a controller must remember and no object says.
    """

    kind: Kind
    keys: Keys | None = None
    matters: Callable[[Maybe, Maybe], bool] | None = None
    note: Callable[[Maybe, Maybe], None] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Index:
    """An index the controller needs on the cache of a kind."""

    kind: Kind
    name: str
    function: Callable[[Object], Iterable[str]]


@dataclasses.dataclass(frozen=True)
class Controller:
    """`observe(look, key)` may be async where a live read is needed; None means there is nothing to decide.

    `first_keys` are looked at once at the start, whatever the caches hold.
    `custom` is for controllers that care for every kind there is: told of those that are served later, and of their end.
    """

    name: str  # also the component of its events
    watches: tuple[Watch, ...]
    observe: Callable[[Look, str], Any | None] | Callable[[Look, str], Awaitable[Any | None]]
    decide: Callable[[Any], Decision]
    indexes: tuple[Index, ...] = ()
    workers: int = 5  # upstream's --concurrent-*-syncs
    first_keys: tuple[str, ...] = ()
    custom: "Custom | None" = None


class Custom(Protocol):
    def added(self, kind: Kind) -> tuple[Sequence[Watch], Sequence[Index]]:
        """What the controller watches of a kind whose cache is filled from now on."""

    def waiting_for(self, kind: Kind) -> Iterable[str]:
        """Keys to look at again now that the kind is known."""

    def removed(self, kind: Kind) -> None:
        """The kind and its objects are gone."""


@dataclasses.dataclass(slots=True)
class Statistics:
    """Since the start."""

    decisions: int = 0
    writes: int = 0
    stale: int = 0
    failures: int = 0
    crashes: int = 0
    seconds: float = 0.0


class Loop:
    """One running controller."""

    def __init__(
        self, controller: Controller, caches: Caches, client: Client, clock: Clock, recorder: Recorder
    ) -> None:
        self.controller = controller
        self.statistics = Statistics()
        self._caches = caches
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self.queue: workqueue.WorkQueue[str] = workqueue.WorkQueue(clock, RATES)
        self._expectations = Expectations(self.queue.add, clock)
        self._woken_by: dict[str, int] = {}
        self._failures: dict[str, Failure] = {}
        self._doubts: dict[str, list[tuple[Kind, str]]] = {}
        for index in controller.indexes:
            caches.of(index.kind).add_index(index.name, index.function)
        self._cache_of: dict[str, Cache] = {}
        self._ends_of: dict[str, list[Callable[[], None]]] = {}  # of custom kinds
        for watch in controller.watches:
            self._cache_of[watch.kind.resource] = caches.of(watch.kind)

    async def run(self) -> None:
        """Until cancelled."""
        ends = [self._subscribe(watch) for watch in self.controller.watches]
        try:
            for cache in [*self._cache_of.values()]:  # custom kinds may come meanwhile
                await cache.synced.wait()
            for key in self.controller.first_keys:
                self.queue.add(key)
            await workers.run(self.controller.name, self.controller.workers, self.queue.get, self._work)
        finally:
            for end in ends:
                end()
            self.queue.shut_down()

    def add(self, kind: Kind) -> None:
        """A custom kind is served; its cache is filled."""
        if self.controller.custom is None:
            return
        watches, indexes = self.controller.custom.added(kind)
        for index in indexes:
            self._caches.of(index.kind).add_index(index.name, index.function)
        for watch in watches:
            self._cache_of[watch.kind.resource] = self._caches.of(watch.kind)
        self._ends_of[kind.resource] = [self._subscribe(watch) for watch in watches]
        for key in self.controller.custom.waiting_for(kind):
            self.queue.add(key)

    def remove(self, kind: Kind) -> None:
        """It is served no more; its cache has told that all is gone."""
        if self.controller.custom is None:
            return
        for end in self._ends_of.pop(kind.resource, ()):
            end()
        self._cache_of.pop(kind.resource, None)
        self.controller.custom.removed(kind)

    def is_idle(self) -> bool:
        """Nothing waits, nothing is being decided or written."""
        return self.queue.is_idle()

    # Waking

    def _subscribe(self, watch: Watch) -> Callable[[], None]:
        cache, keys, matters, note = self._cache_of[watch.kind.resource], watch.keys, watch.matters, watch.note
        caches, saw, wake = self._caches, self._expectations.saw, self._wake

        def changed(old: Maybe, new: Maybe) -> None:
            if note is not None:
                note(old, new)
            if keys is not None and (matters is None or matters(old, new)):
                obj = new if new is not None else old
                assert obj is not None
                revision = objects.revision(obj)
                woken = tuple(keys(caches, obj))
                for key in woken:
                    wake(key, revision)
                if old is not None and new is not None:
                    for key in keys(caches, old):
                        if key not in woken:
                            wake(key, revision)
            saw(cache, old, new)

        return cache.subscribe(changed)

    def _wake(self, key: str, revision: int) -> None:
        if self._woken_by.get(key, 0) < revision:
            self._woken_by[key] = revision
        self.queue.add(key)

    # Working

    async def _work(self, key: str) -> None:
        started = self._clock.monotonic()
        try:
            await self._process(key)
        except (StatusError, Unreachable) as problem:  # a live read in `observe`
            _log.warning("%s %s: %s; trying again", self.controller.name, key, problem)
            self.queue.add_rate_limited(key)
        except asyncio.CancelledError:
            raise
        except Exception:
            # A bug met by one object must not stop the care for all others.
            self.statistics.crashes += 1
            _log.exception("%s %s: crashed; trying again", self.controller.name, key)
            self.queue.add_rate_limited(key)
        finally:
            self.queue.done(key)
            self.statistics.seconds += self._clock.monotonic() - started

    async def _process(self, key: str) -> None:
        if key in self._doubts:
            await self._resolve(key)
        if self._expectations.postpone(key):
            self.queue.add_after(key, 2.0)  # in case the caches stop moving
            return
        because = self._woken_by.pop(key, 0)
        failure = self._failures.get(key)
        seen = self.controller.observe(Look(self._caches, self._client, self._clock.now(), failure), key)
        if inspect.isawaitable(seen):
            seen = await seen
        if seen is None:
            self._forget(key)
            return
        decision = self.controller.decide(seen)
        self.statistics.decisions += 1
        if decision.again_after_seconds is not None:
            self.queue.add_after(key, decision.again_after_seconds)
        outcome = await self._apply(key, decision, because) if decision.actions else Outcome()
        self._settle(key, outcome, failure)

    async def _resolve(self, key: str) -> None:
        """After lost answers: look past the caches, and decide again only when they show the newest of what is there."""
        for kind, namespace in self._doubts[key]:
            cache = self._cache_of.get(kind.resource)
            if cache is not None:
                page = await self._client.list(kind, namespace)
                newest = max(page.items, key=objects.revision, default=None)
                if newest is not None:
                    self._expectations.written(key, cache, newest)
        del self._doubts[key]

    async def _apply(self, key: str, decision: Decision, because: int) -> Outcome:
        _log.info("%s %s: %s (%d actions)", self.controller.name, key, decision.why, len(decision.actions))

        def wrote(kind: Kind, obj: Object) -> None:
            cache = self._cache_of.get(kind.resource)
            if cache is not None:
                self._expectations.written(key, cache, obj)

        def deleted(kind: Kind, object_key: str, uid: str) -> None:
            cache = self._cache_of.get(kind.resource)
            if cache is not None:
                self._expectations.deleted(key, cache, object_key, uid)

        outcome = await apply.Application(self._client, self._recorder, because, wrote, deleted).run(decision.actions)
        self.statistics.writes += outcome.written
        return outcome

    def _settle(self, key: str, outcome: Outcome, before: Failure | None) -> None:
        if outcome.failure is not None:
            self._failures[key] = outcome.failure
            self.statistics.failures += 1
        elif not outcome.stale and before is not None:
            del self._failures[key]
            self.queue.add(key)  # what was told about the failure holds no longer
        if outcome.is_clean:
            self.queue.forget(key)
            return
        if outcome.doubts:
            self._doubts[key] = outcome.doubts
        if outcome.stale:
            self.statistics.stale += 1
        if outcome.retry_after_seconds:
            self.queue.add_after(key, outcome.retry_after_seconds)
        else:
            self.queue.add_rate_limited(key)

    def _forget(self, key: str) -> None:
        self.queue.forget(key)
        self._expectations.forget(key)
        self._failures.pop(key, None)
        self._doubts.pop(key, None)
