"""The books of addresses and node ports, kept by what the store tells: also what other servers give out and take back.

Reads: Services, IPAddresses. Writes: entries of node ports that are missing or left behind, at the start.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import orjson

from steersman.api import ip_addresses, kinds
from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.apiserver.admission import node_ports
from steersman.apiserver.admission.service_addresses import ServiceAddresses
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.store import contract
from steersman.store.contract import Event

Changed = Callable[[Object | None, Object | None], None]

log = logging.getLogger(__name__)

_CAUSE = contract.Cause("system:apiserver", "repair node ports")
_TRIES_MAX = 10  # others write Services meanwhile


class ServiceNumbers:
    """`start` before serving, `run` ever after."""

    def __init__(self, store: contract.Store, books: ServiceAddresses) -> None:
        self._store = store
        self._books = books
        self._revision = 0

    async def start(self) -> None:
        for _ in range(_TRIES_MAX):
            page = await self._store.list(keys.prefix(kinds.SERVICE))
            services = [orjson.loads(entry.value) for entry in page.entries]
            repairs = await node_ports.repair(self._store, services)
            try:
                for start in range(0, len(repairs), contract.OPERATIONS_MAX):
                    await self._store.txn(repairs[start : start + contract.OPERATIONS_MAX], _CAUSE)
                break
            except contract.Mismatch:
                continue
        self._revision = page.revision
        addresses = await self._store.list(keys.prefix(kinds.IP_ADDRESS))
        self._books.rebuild(services, [orjson.loads(entry.value) for entry in addresses.entries])

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await asyncio.gather(
                    self._follow(kinds.SERVICE, self._books.changed), self._follow(kinds.IP_ADDRESS, self._named)
                )
                return
            except (contract.Compacted, contract.Overrun) as gap:
                log.warning("the addresses of services are read again: %r", gap)
                await self.start()

    async def _follow(self, kind: Kind, changed: Changed) -> None:
        with contextlib.closing(self._store.watch(keys.prefix(kind), self._revision)) as watch:
            async for batch in watch:
                for event in batch:
                    changed(*_states(event))

    def _named(self, old: Object | None, new: Object | None) -> None:
        """Those of Services follow the Services."""
        if old is None and new is not None and not ip_addresses.is_of_services(new):
            self._books.take(objects.name(new))
        elif new is None and old is not None and not ip_addresses.is_of_services(old):
            self._books.give(objects.name(old))


def _states(event: Event) -> tuple[Object | None, Object | None]:
    before = orjson.loads(event.before.value) if event.before is not None else None
    return before, None if event.deleted else orjson.loads(event.value)
