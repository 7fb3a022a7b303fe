"""The zone's look-ups, answered from the process's shared caches of Services and EndpointSlices."""

from collections.abc import Callable, Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.meta import objects
from steersman.meta.objects import Object

_BY_SERVICE = "dns-slices-of-service"
_BY_ADDRESS = "dns-address"


class CachedRecords:
    """Answers `zone.Records`. `subscribe(handler)` tells of every change."""

    def __init__(self, caches: Caches) -> None:
        self._services = caches.of(kinds.SERVICE)
        self._slices = caches.of(kinds.ENDPOINT_SLICE)
        self._services.add_index(_BY_ADDRESS, _service_addresses)
        self._slices.add_index(_BY_ADDRESS, _named_addresses)
        self._slices.add_index(_BY_SERVICE, _service_of_slice)

    async def wait_synced(self) -> None:
        await self._services.synced.wait()
        await self._slices.synced.wait()

    def subscribe(self, handler: Callable[[], None]) -> Callable[[], None]:
        """Returns a function that ends it."""

        def changed(_old: Object | None, _new: Object | None) -> None:
            handler()

        ends = [self._services.subscribe(changed), self._slices.subscribe(changed)]

        def unsubscribe() -> None:
            for end in ends:
                end()

        return unsubscribe

    def service(self, namespace: str, name: str) -> Object | None:
        return self._services.get(f"{namespace}/{name}")

    def slices(self, namespace: str, name: str) -> Iterable[Object]:
        return self._slices.by_index(_BY_SERVICE, f"{namespace}/{name}")

    def has_services(self, namespace: str) -> bool:
        return bool(self._services.list(namespace))

    def services_at(self, address: str) -> Iterable[Object]:
        return self._services.by_index(_BY_ADDRESS, address)

    def slices_at(self, address: str) -> Iterable[Object]:
        return self._slices.by_index(_BY_ADDRESS, address)


def _service_addresses(service: Object) -> list[str]:
    spec = service.get("spec", {})
    found = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [address for address in found if address and address != "None"]


def _named_addresses(item: Object) -> list[str]:
    """Only endpoints with a hostname have a reverse name: an index of all others would be large and never asked."""
    return [
        address
        for endpoint in item.get("endpoints") or ()
        if endpoint.get("hostname")
        for address in endpoint.get("addresses") or ()
    ]


def _service_of_slice(item: Object) -> tuple[str, ...]:
    name = objects.labels(item).get("kubernetes.io/service-name")
    return (f"{objects.namespace(item)}/{name}",) if name else ()
