"""Keep the packet rules of one network namespace equal to the cluster's Services and their endpoints.

Reads: Services, EndpointSlices (shared caches).  Writes: the backend.
What an earlier process left keeps working until everything is known here; then one transaction replaces it. From then on each
Service that changed is worked out again by itself, and whatever changes while the kernel is busy goes into the next round.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.proxy import rule_set, rules
from steersman.proxy.nftables import Backend

log = logging.getLogger(__name__)

_SLICES_OF_SERVICE = "endpointslices-of-service"

# A refused transaction is nearly always someone else's hand in our table: putting all of it in again heals that at once.
_PAUSES = backoff.Pauses(initial_seconds=0.2, max_seconds=10.0)


Offload = Callable[..., Awaitable[None]]


async def run(
    caches: Caches, node_name: str, backend: Backend, clock: Clock, *, offload: Offload = asyncio.to_thread
) -> None:
    """Work until cancelled. `node_name` is the node whose namespace it is; empty on the host, where no pod is local.

    `offload` calls the backend without holding up the event loop; a backend in memory needs no thread for that.
    """
    await _Proxy(caches, node_name, backend, clock, offload).run()


class _Proxy:
    def __init__(self, caches: Caches, node_name: str, backend: Backend, clock: Clock, offload: Offload) -> None:
        self._offload = offload
        self._services = caches.of(kinds.SERVICE)
        self._slices = caches.of(kinds.ENDPOINT_SLICE)
        self._slices.add_index(_SLICES_OF_SERVICE, _service_of_slice)
        self._node_name = node_name
        self._backend = backend
        self._clock = clock
        self._changed: dict[str, None] = {}  # keys of Services, in the order of their first change
        self._wake = asyncio.Event()

    async def run(self) -> None:
        ends = [self._services.subscribe(self._notice_service), self._slices.subscribe(self._notice_slice)]
        pause = backoff.Backoff(self._clock, _PAUSES)
        try:
            await self._services.synced.wait()
            await self._slices.synced.wait()
            while True:
                try:
                    await self._sync()
                except OSError as refused:
                    seconds = pause.next()
                    log.warning("packet rules: %s; putting all of them in again in %.1f s", refused, seconds)
                    await self._clock.sleep(seconds)
        finally:
            for end in ends:
                end()

    async def _sync(self) -> None:
        """Everything once, then changes, until the backend refuses one."""
        rule_set_ = rule_set.RuleSet(self._node_name)
        self._changed.clear()
        self._update(rule_set_, self._services.keys())
        await self._offload(self._backend.replace, dict(rule_set_.elements))
        while True:
            await self._wake.wait()
            self._wake.clear()
            keys = list(self._changed)
            self._changed.clear()
            change = self._update(rule_set_, keys)
            if change:
                await self._offload(self._backend.apply, change)

    def _update(self, current: rule_set.RuleSet, keys: Iterable[str]) -> rule_set.Change:
        change = rule_set.Change()
        for key in keys:
            current.update(key, self._services.get(key), self._slices.by_index(_SLICES_OF_SERVICE, key), change)
        return change

    def _notice_service(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or _facts(old) != _facts(new):
            self._mark(objects.key(new or old or {}))

    def _notice_slice(self, old: Object | None, new: Object | None) -> None:
        for obj in (old, new):
            if obj is not None:
                for key in _service_of_slice(obj):
                    self._mark(key)

    def _mark(self, key: str) -> None:
        self._changed[key] = None
        self._wake.set()


def _facts(service: Object) -> tuple[object, ...]:
    """What the rules depend on; a change of anything else is none."""
    label = objects.labels(service).get(rules.PROXY_NAME_LABEL)
    return service.get("spec"), service.get("status", {}).get("loadBalancer"), label


def _service_of_slice(obj: Object) -> tuple[str, ...]:
    name = objects.labels(obj).get(rules.SERVICE_NAME_LABEL)
    return (f"{objects.namespace(obj)}/{name}",) if name else ()
