"""Keep the packet rules of one network namespace equal to the cluster's Services and their endpoints.

Reads: Services, EndpointSlices, the zone of the own Node (shared caches).  Writes: the backends, one per address family.
What an earlier process left keeps working until everything is known here; then one transaction replaces it. From then on each
Service that changed is worked out again by itself, and whatever changes while the kernel is busy goes into the next round.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.proxy import rule_set, rules
from steersman.proxy.health_checks import HealthChecks
from steersman.proxy.nftables import Backend

log = logging.getLogger(__name__)

_SLICES_OF_SERVICE = "endpointslices-of-service"
_ZONE = "topology.kubernetes.io/zone"

# A refused transaction is nearly always someone else's hand in our table: putting all of it in again heals that at once.
_PAUSES = backoff.Pauses(initial_seconds=0.2, max_seconds=10.0)


Offload = Callable[..., Awaitable[None]]


async def run(
    caches: Caches,
    node_name: str,
    backends: Mapping[str, Backend],
    clock: Clock,
    *,
    offload: Offload = asyncio.to_thread,
    health: HealthChecks | None = None,
) -> None:
    """Work until cancelled. `node_name` is the node whose namespace it is; empty on the host, where no pod is local.

    `backends`: by address family. `offload` calls one without holding up the event loop; a backend in memory needs no thread
    for that. `health` is told how many endpoints each Service has here.
    """
    await _Proxy(caches, node_name, backends, clock, offload, health).run()


class _Proxy:
    def __init__(
        self,
        caches: Caches,
        node_name: str,
        backends: Mapping[str, Backend],
        clock: Clock,
        offload: Offload,
        health: HealthChecks | None,
    ) -> None:
        self._offload = offload
        self._health = health
        self._services = caches.of(kinds.SERVICE)
        self._slices = caches.of(kinds.ENDPOINT_SLICE)
        self._slices.add_index(_SLICES_OF_SERVICE, _service_of_slice)
        self._nodes = caches.of(kinds.NODE)
        self._node_name = node_name
        self._zone = ""
        self._backends = backends
        self._clock = clock
        self._changed: dict[str, None] = {}  # keys of Services, in the order of their first change
        self._changes = 0
        self._wake = asyncio.Event()

    async def run(self) -> None:
        ends = [
            self._services.subscribe(self._notice_service),
            self._slices.subscribe(self._notice_slice),
            self._nodes.subscribe(self._notice_node),
        ]
        pause = backoff.Backoff(self._clock, _PAUSES)
        try:
            for cache in (self._services, self._slices, self._nodes):
                await cache.synced.wait()
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
        """Everything once, then changes, until a backend refuses one or the node is somewhere else."""
        zone = self._zone = self._own_zone()
        sets = {family: rule_set.RuleSet(rules.Place(self._node_name, zone, family)) for family in self._backends}
        self._changed.clear()
        keys = list(self._services.keys())
        for family, current in sets.items():
            self._update(current, keys)
            await self._offload(self._backends[family].replace, dict(current.elements))
        await self._tell(keys)
        while zone == self._zone:
            await self._wake.wait()
            self._wake.clear()
            keys = list(self._changed)
            self._changed.clear()
            for family, current in sets.items():
                change = self._update(current, keys)
                if change:
                    await self._offload(self._backends[family].apply, change)
            await self._tell(keys)

    def _update(self, current: rule_set.RuleSet, keys: Iterable[str]) -> rule_set.Change:
        change = rule_set.Change()
        for key in keys:
            current.update(key, self._services.get(key), self._slices.by_index(_SLICES_OF_SERVICE, key), change)
        return change

    async def _tell(self, keys: Sequence[str]) -> None:
        if self._health is None:
            return
        self._changes += len(keys)
        self._health.stand(self._changes)
        for key in keys:
            slices = list(self._slices.by_index(_SLICES_OF_SERVICE, key))
            await self._health.update(key, self._services.get(key), slices)

    def _own_zone(self) -> str:
        node = self._nodes.get(self._node_name) if self._node_name else None
        return objects.labels(node).get(_ZONE, "") if node is not None else ""

    def _notice_node(self, old: Object | None, new: Object | None) -> None:
        if self._zone != self._own_zone():
            self._zone = self._own_zone()
            self._wake.set()

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
    labels = objects.labels(service)
    named = labels.get(rules.PROXY_NAME_LABEL), labels.get(rules.HEADLESS_LABEL)
    return service.get("spec"), service.get("status", {}).get("loadBalancer"), named


def _service_of_slice(obj: Object) -> tuple[str, ...]:
    name = objects.labels(obj).get(rules.SERVICE_NAME_LABEL)
    return (f"{objects.namespace(obj)}/{name}",) if name else ()
