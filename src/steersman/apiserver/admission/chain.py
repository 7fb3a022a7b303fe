"""The admission plugins in upstream's order, asked only about the kinds they care for.

Keeps true: what a plugin reserved for a write (an address, a port) is given back when the write fails.
"""

import contextlib
from collections.abc import AsyncIterator

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.custom import definitions
from steersman.apiserver import decoded
from steersman.apiserver.admission import namespaces, pods, service_accounts, service_addresses
from steersman.apiserver.call import Call
from steersman.apiserver.extensions import removal
from steersman.meta.objects import Object


class Chain:
    def __init__(
        self,
        objects: decoded.DecodedObjects,
        clock: clocks.Clock,
        addresses: service_addresses.ServiceAddresses,
        *,
        unreachable_seconds: int = 300,
    ) -> None:
        self._clock = clock
        self._namespaces = namespaces.NamespaceLifecycle(objects)
        self._accounts = service_accounts.ServiceAccounts(objects, clock)
        self._priorities = pods.Priorities(objects)
        self._addresses = addresses
        self._unreachable_seconds = unreachable_seconds

    @contextlib.asynccontextmanager
    async def creating(self, call: Call, obj: Object) -> AsyncIterator[None]:
        """Completes `obj` in place, or raises StatusError."""
        if call.kind.namespaced:
            await self._namespaces.check_open(call, obj)
        if call.kind is kinds.CUSTOM_RESOURCE_DEFINITION:
            call.warnings.extend(definitions.warnings(obj))
        if call.kind.plural == "pods" and not call.kind.group:
            await self._accounts.admit(call, obj)
            await self._priorities.admit(call, obj)
            pods.add_default_tolerations(obj, self._unreachable_seconds)
        if call.kind.plural == "services" and not call.kind.group:
            with self._addresses.reserved(obj, None, dry_run=call.dry_run):
                yield
            return
        yield

    @contextlib.asynccontextmanager
    async def updating(self, call: Call, obj: Object, old: Object) -> AsyncIterator[None]:
        if call.kind is kinds.CUSTOM_RESOURCE_DEFINITION:
            call.warnings.extend(definitions.warnings(obj))
        if call.kind.plural == "services" and not call.kind.group and not call.target.subresource:
            with self._addresses.reserved(obj, old, dry_run=call.dry_run):
                yield
            return
        yield

    async def deleting(self, call: Call, obj: Object) -> None:
        if call.kind is kinds.NAMESPACE:
            self._namespaces.check_deletable(call, obj)
        if call.kind is kinds.CUSTOM_RESOURCE_DEFINITION:
            removal.mark(obj, self._clock.now())

    async def deleted(self, call: Call, obj: Object) -> None:
        """The object is gone from the store."""
        if call.kind.plural == "services" and not call.kind.group:
            self._addresses.release(obj)
