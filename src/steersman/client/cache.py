"""A mirror of one kind, kept by list and watch, and the mirrors that one process shares.

Keeps true: what `get` and `list` answer is the state at `revision`; subscribers see every step from one state to the
next, once and in order, with no gap: after a lost watch the mirror watches on from its revision, and when that is gone
(410) it lists again and tells the difference.
Objects are shared with everyone in the process: never change them.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType

from steersman.aio import backoff, tasks
from steersman.aio.clock import Clock
from steersman.api.kind import Kind
from steersman.client.client import Client, Unreachable, WatchEvent
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# client-go's pager: a page is decoded in a few milliseconds, so that a large list does not hold up the loop.
PAGE_OBJECTS = 500
# client-go's reflector: the server ends each watch after 5 to 10 minutes, so that load moves and dead ones are noticed.
WATCH_SECONDS = 300
# A watch that ends sooner is a server in trouble: pause before the next one.
SHORT_WATCH_SECONDS = 1.0
# As client-go's, but the first tries come soon: at the start of a cluster the API server is ready any moment.
PAUSES = backoff.Pauses(initial_seconds=0.05)

Handler = Callable[[Object | None, Object | None], None]
IndexFunction = Callable[[Object], Iterable[str]]
Objects = list[Object]
Names = list[str]


def _namespaces(obj: Object) -> Iterable[str]:
    return (objects.namespace(obj),)


class Index:
    """Objects by the values a function names for each."""

    def __init__(self, function: IndexFunction) -> None:
        self._function = function
        self._keys: dict[str, dict[str, Object]] = {}

    def change(self, key: str, old: Object | None, new: Object | None) -> None:
        before = () if old is None else tuple(self._function(old))
        if new is None:
            self._leave(key, before)
            return
        after = tuple(self._function(new))
        if before != after:  # most changes leave an object where it is
            self._leave(key, [value for value in before if value not in after])
        for value in after:
            self._keys.setdefault(value, {})[key] = new

    def _leave(self, key: str, values: Iterable[str]) -> None:
        for value in set(values):
            group = self._keys[value]
            del group[key]
            if not group:
                del self._keys[value]

    def objects(self, value: str) -> list[Object]:
        return list(self._keys.get(value, {}).values())

    def values(self) -> list[str]:
        return list(self._keys)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Seed:
    """What a cache held at a revision. One that begins with it watches on from there, as after a lost watch."""

    objects: Mapping[str, Object]
    revision: int


# Returns when something of the kind may have happened after the revision: who knows that spares a watch until then.
Stirred = Callable[[Kind, int], Awaitable[None]]


class Cache:
    """All objects of one kind, or those of one namespace or selector. Empty until `synced` is set; `run` keeps it.

    With a `seed`, which must come from a cache of the same objects, it is synced from the start and lists nothing; it does not
    even watch before `stirred` returns.
    """

    def __init__(
        self,
        client: Client,
        kind: Kind,
        clock: Clock,
        *,
        namespace: str = "",
        field_selector: str = "",
        label_selector: str = "",
        seed: Seed | None = None,
        stirred: Stirred | None = None,
    ) -> None:
        self.kind = kind
        self.revision = 0
        self.synced = asyncio.Event()
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._field_selector = field_selector
        self._label_selector = label_selector
        self._objects: dict[str, Object] = {}
        self._by_namespace = Index(_namespaces)
        self._indexes: dict[str, Index] = {}
        self._handlers: list[Handler] = []
        self._stirred = stirred
        if seed is not None:
            self.replace({**seed.objects}, seed.revision)
            self.synced.set()

    # Reading

    def get(self, key: str) -> Object | None:
        """By `namespace/name`, or `name` for cluster-scoped kinds."""
        return self._objects.get(key)

    def list(self, namespace: str = "") -> Objects:
        return self._by_namespace.objects(namespace) if namespace else [*self._objects.values()]

    def keys(self) -> Names:
        return [*self._objects]

    def __len__(self) -> int:
        return len(self._objects)

    def __bool__(self) -> bool:
        """An empty cache is a cache: `cache or …` asks whether there is one."""
        return True

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Adding the same index again (two parts share the cache) is allowed."""
        if name in self._indexes:
            return
        index = self._indexes[name] = Index(function)
        for key, obj in self._objects.items():
            index.change(key, None, obj)

    def by_index(self, name: str, value: str) -> Objects:
        return self._indexes[name].objects(value)

    def index_values(self, name: str) -> Names:
        return self._indexes[name].values()

    def subscribe(self, handler: Handler) -> Callable[[], None]:
        """Call `handler(old, new)` for every change, at once and in order; what is there already comes as (None, obj).

        The handler must not block or raise. Returns a function that ends the subscription.
        """
        self._handlers.append(handler)
        for obj in [*self._objects.values()]:
            handler(None, obj)
        return lambda: self._handlers.remove(handler)

    def seed(self) -> Seed | None:
        """What another cache can begin with; None while it is not known what there is."""
        return Seed({**self._objects}, self.revision) if self.synced.is_set() and self.revision else None

    # Keeping up

    async def run(self) -> None:
        """Mirror until cancelled."""
        if self.synced.is_set() and self._stirred is not None:
            await self._stirred(self.kind, self.revision)
        pause = backoff.Backoff(self._clock, PAUSES)
        while True:
            try:
                if not self.synced.is_set() or self.revision == 0:
                    await self._relist()
                    self.synced.set()
                started = self._clock.monotonic()
                await self._watch()
                if self._clock.monotonic() - started < SHORT_WATCH_SECONDS:
                    await self._pause(pause, "the watch ended at once", 0)
            except StatusError as refused:
                if refused.code == 410:
                    self.revision = 0  # list again
                await self._pause(pause, refused, refused.retry_after_seconds or 0)
            except Unreachable as lost:
                await self._pause(pause, lost, 0)

    async def _pause(self, pause: backoff.Backoff, why: object, at_least_seconds: float) -> None:
        seconds = max(pause.next(), at_least_seconds)
        _log.warning("%s: %s; trying again in %.1f s", self.kind.resource, why, seconds)
        await self._clock.sleep(seconds)

    async def _relist(self) -> None:
        found: dict[str, Object] = {}
        token = ""
        while True:
            page = await self._client.list(
                self.kind,
                self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
                limit=PAGE_OBJECTS,
                continue_token=token,
            )
            for obj in page.items:
                found[objects.key(obj)] = obj
            token = page.continue_token
            if not token:
                break
        self.replace(found, int(page.resource_version or 0))

    async def _watch(self) -> None:
        events = self._client.watch(
            self.kind,
            self._namespace,
            resource_version=str(self.revision),
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            timeout_seconds=int(self._clock.jitter(WATCH_SECONDS, 1.0)),
        )
        async with contextlib.aclosing(events):
            async for event in events:
                self.apply(event)

    # Changing (pure, but for subscribers)

    def replace(self, found: dict[str, Object], revision: int) -> None:
        """Become what a list said, telling subscribers the difference."""
        for key in [key for key in self._objects if key not in found]:
            self._change(key, None)
        for key, obj in found.items():
            self._change(key, obj)
        self.revision = revision

    def apply(self, event: WatchEvent) -> None:
        obj = event.object
        if event.type != "BOOKMARK":
            self._change(objects.key(obj), None if event.type == "DELETED" else obj)
        self.revision = objects.revision(obj)

    def _change(self, key: str, new: Object | None) -> None:
        old = self._objects.get(key)
        if old is None and new is None:
            return
        if old is not None and new is not None:
            if objects.resource_version(old) == objects.resource_version(new):
                return
            if objects.uid(old) != objects.uid(new):  # deleted and made again while nobody watched
                self._change(key, None)
                old = None
        if new is None:
            del self._objects[key]
        else:
            self._objects[key] = new
        self._by_namespace.change(key, old, new)
        for index in self._indexes.values():
            index.change(key, old, new)
        for handler in [*self._handlers]:
            handler(old, new)


# Which objects: apiVersion, plural, namespace, field selector, label selector.
Which = tuple[str, str, str, str, str]
Seeds = Mapping[Which, Seed]
NO_SEEDS: Seeds = MappingProxyType({})


class Caches:
    """One cache per kind and selector for everyone in the process."""

    def __init__(self, client: Client, clock: Clock, seeds: Seeds = NO_SEEDS, stirred: Stirred | None = None) -> None:
        """`seeds`: what the caches of the same identity held at another moment of this history, earlier than now."""
        self.client = client
        self._clock = clock
        self._seeds = {**seeds}
        self._stirred = stirred
        self._caches: dict[Which, Cache] = {}
        self._running: dict[Which, asyncio.Task[None]] = {}
        self._tasks: tasks.Tasks | None = None

    def of(self, kind: Kind, *, namespace: str = "", field_selector: str = "", label_selector: str = "") -> Cache:
        """The cache, made on first use; it runs as soon as `run` does."""
        key = (kind.api_version, kind.plural, namespace, field_selector, label_selector)
        cache = self._caches.get(key)
        if cache is None:
            cache = Cache(
                self.client,
                kind,
                self._clock,
                namespace=namespace,
                field_selector=field_selector,
                label_selector=label_selector,
                seed=self._seeds.pop(key, None),
                stirred=self._stirred,
            )
            self._caches[key] = cache
            if self._tasks is not None:
                self._start(key, cache)
        return cache

    def drop(self, kind: Kind) -> None:
        """The kind is served no more: tell subscribers that its objects are gone, and stop following it."""
        for key in [key for key in self._caches if key[:2] == (kind.api_version, kind.plural)]:
            cache = self._caches.pop(key)
            cache.replace({}, cache.revision)
            task = self._running.pop(key, None)
            if task is not None:
                task.cancel(f"{kind.resource} is served no more")

    async def run(self) -> None:
        """Run every cache until cancelled; the crash of a subscriber is raised."""
        running = self._tasks = tasks.Tasks("caches")
        try:
            for key, cache in self._caches.items():
                self._start(key, cache)
            running.start("until cancelled", _forever())
            await running.wait()
        finally:
            self._tasks = None
            self._running.clear()
            await running.close()

    async def wait_synced(self) -> None:
        for cache in [*self._caches.values()]:
            await cache.synced.wait()

    def all(self) -> list[Cache]:
        return [*self._caches.values()]

    def seeds(self) -> Seeds:
        """For the caches of a copy of this cluster."""
        return {which: seed for which, cache in self._caches.items() if (seed := cache.seed()) is not None}

    def statistics(self) -> dict[str, int]:
        return {cache.kind.resource: len(cache) for cache in self._caches.values()}

    def _start(self, key: Which, cache: Cache) -> None:
        assert self._tasks is not None
        self._running[key] = self._tasks.start(cache.kind.resource, cache.run())


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()
