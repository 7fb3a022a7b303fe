"""IPAddresses: one object per ClusterIP, written and removed in the same transaction as its Service.

Keeps true: an address that a Service has names the Service as its parent. Addresses that others name are never given to Services.
Leaves to others: repairing what people change by hand (the controller `ip_address`).
"""

import orjson

from steersman.aio import clock as clocks
from steersman.api import ip_addresses, kinds
from steersman.api.kind import Kind
from steersman.api.validation import address_families
from steersman.apiserver import keys, metadata
from steersman.apiserver.admission import service_addresses
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import objects, times
from steersman.meta.objects import Object
from steersman.store import contract
from steersman.store.contract import Delete, Put


class OfServices(Plugin):
    """The addresses that a write of a Service takes and lets go."""

    def __init__(self, store: contract.Store, clock: clocks.Clock) -> None:
        self._store = store
        self._clock = clock

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.SERVICE and (not subresource or operation == "DELETE")

    async def reserve(self, review: Review) -> None:
        """Raises NumberTakenError."""
        before = ip_addresses.of_service(review.old) if review.old is not None else []
        after = ip_addresses.of_service(review.obj) if review.obj is not None else []
        for address in after:
            if address not in before:
                review.also += await self._taken(review.new, address)
        for address in before:
            if address not in after:
                review.also += await self._freed(address)

    async def _taken(self, service: Object, address: str) -> list[Put | Delete]:
        obj = ip_addresses.make(service, address)
        key = keys.key(kinds.IP_ADDRESS, "", objects.name(obj))
        entry = await self._store.get(key)
        if entry is not None:
            found = orjson.loads(entry.value)
            if found["spec"].get("parentRef") == obj["spec"]["parentRef"]:
                return []  # made by hand for this very Service
            if not ip_addresses.is_of_services(found) or await self._is_held(found, address):
                raise service_addresses.NumberTakenError(service, address)
            left = {**found, "spec": obj["spec"]}  # behind by a Service that is gone
            return [Put(key, keys.head(kinds.IP_ADDRESS), keys.tail(left), entry.revision)]
        now = times.format_seconds(self._clock.now())
        metadata.fill_new(kinds.IP_ADDRESS, obj, uid=self._clock.uid(), now=now)
        return [Put(key, keys.head(kinds.IP_ADDRESS), keys.tail(obj), 0)]

    async def _is_held(self, found: Object, address: str) -> bool:
        parent = found["spec"].get("parentRef") or {}
        key = keys.key(kinds.SERVICE, parent.get("namespace", ""), parent.get("name", ""))
        entry = await self._store.get(key)
        return entry is not None and address in ip_addresses.of_service(orjson.loads(entry.value))

    async def _freed(self, address: str) -> list[Put | Delete]:
        key = keys.key(kinds.IP_ADDRESS, "", address_families.normal(address))
        entry = await self._store.get(key)
        if entry is None:
            return []
        last = orjson.loads(entry.value)
        return [Delete(key, keys.head(kinds.IP_ADDRESS), keys.tail(last), entry.revision)]


class OfOthers(Plugin):
    """What somebody else names is not given out."""

    def __init__(self, addresses: service_addresses.ServiceAddresses) -> None:
        self._addresses = addresses

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.IP_ADDRESS and operation in ("CREATE", "DELETE")

    async def reserve(self, review: Review) -> None:
        if review.operation == "CREATE" and not review.dry_run and not ip_addresses.is_of_services(review.new):
            self._addresses.take(objects.name(review.new))

    async def removed(self, review: Review) -> None:
        assert review.old is not None
        if not ip_addresses.is_of_services(review.old):
            self._addresses.give(objects.name(review.old))
