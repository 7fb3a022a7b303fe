"""What the IPAddress repair controller watches and sees: one key per address."""

import ipaddress
from collections.abc import Iterable

from steersman.api import ip_addresses, kinds
from steersman.api.validation import address_families
from steersman.client.cache import Caches
from steersman.controllers import live
from steersman.controllers.ip_address import decide
from steersman.controllers.ip_address.decide import Seen
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.meta import objects
from steersman.meta.objects import Object

_BY_ADDRESS = "service-address"


def controller() -> Controller:
    return Controller(
        name="ipallocator-repair-controller",
        watches=(
            Watch(kinds.SERVICE, _addresses, _moved),
            Watch(kinds.IP_ADDRESS, lambda caches, obj: (objects.name(obj),)),
            Watch(kinds.SERVICE_CIDR),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(Index(kinds.SERVICE, _BY_ADDRESS, _of_service),),
        workers=1,
    )


async def observe(look: Look, key: str) -> Seen | None:
    """An IPAddress that seems to be missing is asked for again: Service and IPAddress are written at once, but are seen one
    after the other."""
    services = look.caches.of(kinds.SERVICE).by_index(_BY_ADDRESS, key)
    found = look.caches.of(kinds.IP_ADDRESS).get(key)
    if services and found is None:
        found = await live.get(look.client, kinds.IP_ADDRESS, key, "")
        if found is None:
            services = [one for one in services if await live.is_alive(look.client, kinds.SERVICE, one)]
    if not services and found is None:
        return None
    address = ipaddress.ip_address(key)
    ranges = (
        ipaddress.ip_network(cidr)
        for one in look.caches.of(kinds.SERVICE_CIDR).list()
        for cidr in (one.get("spec") or {}).get("cidrs") or ()
    )
    return Seen(key, services, found, any(address in one for one in ranges), look.now)


def _of_service(service: Object) -> list[str]:
    return [address_families.normal(address) for address in ip_addresses.of_service(service)]


def _addresses(caches: Caches, service: Object) -> Iterable[str]:
    return _of_service(service)


def _moved(old: Object | None, new: Object | None) -> bool:
    return old is None or new is None or ip_addresses.of_service(old) != ip_addresses.of_service(new)
