"""What the ServiceCIDR controller watches and sees."""

import ipaddress
from collections.abc import Iterable

from steersman.api import ip_addresses, kinds
from steersman.client.cache import Caches
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.service_cidr import decide
from steersman.controllers.service_cidr.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object


def controller() -> Controller:
    return Controller(
        name="service-cidr-controller",
        watches=(Watch(kinds.SERVICE_CIDR, _with_neighbours), Watch(kinds.IP_ADDRESS, _that_are_going, _came_or_went)),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


async def observe(look: Look, key: str) -> Seen | None:
    """Before a range goes, the addresses are asked for again: the cache may not show the newest ones yet."""
    cache = look.caches.of(kinds.SERVICE_CIDR)
    found = cache.get(key)
    if found is None:
        return None
    addresses = []
    if objects.is_terminating(found):
        listed = (await look.client.list(kinds.IP_ADDRESS)).items
        addresses = [objects.name(one) for one in listed if ip_addresses.is_of_services(one)]
    others = [one for one in cache.list() if objects.name(one) != key]
    return Seen(found, others, addresses, look.now)


def _with_neighbours(caches: Caches, service_cidr: Object) -> Iterable[str]:
    yield objects.name(service_cidr)
    yield from decide.overlapping(service_cidr, caches.of(kinds.SERVICE_CIDR).list())


def _that_are_going(caches: Caches, address: Object) -> Iterable[str]:
    """Only a range that is to go cares who has an address of it."""
    for one in caches.of(kinds.SERVICE_CIDR).list():
        if objects.is_terminating(one):
            number = ipaddress.ip_address(objects.name(address))
            if any(number in network for network in decide.ranges_of(one)):
                yield objects.name(one)


def _came_or_went(old: Object | None, new: Object | None) -> bool:
    return old is None or new is None
