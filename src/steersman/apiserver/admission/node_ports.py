"""Node ports in the store: an entry for each that is given out, written and removed in the same transaction as its Service.

Keeps true: of several API servers over one store no two give out the same port.
The entries are no objects of the API: nobody sees them but the servers. Upstream keeps one RangeAllocation of all ports, which
every Service with a node port has to change; of entries for each, only those for the same port meet.
"""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.admission.service_addresses import NumberTakenError, held_ports
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.store import contract
from steersman.store.contract import Delete, Put

PREFIX = "/core/nodeports/"
_HEAD = b'{"kind":"RangeAllocation","apiVersion":"v1","metadata":{"resourceVersion":"'


class OfServices(Plugin):
    """The ports that a write of a Service takes and lets go."""

    def __init__(self, store: contract.Store) -> None:
        self._store = store

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.SERVICE and (not subresource or operation == "DELETE")

    async def reserve(self, review: Review) -> None:
        """Raises NumberTakenError."""
        before = held_ports(review.old) if review.old is not None else set()
        after = held_ports(review.obj) if review.obj is not None else set()
        for port in sorted(after - before):
            if await self._store.get(_key(port)) is not None:
                raise NumberTakenError(review.new, port)
            review.also.append(taken(review.new, port))
        for port in sorted(before - after):
            entry = await self._store.get(_key(port))
            if entry is not None:
                review.also.append(_freed(port, entry))


def taken(service: Object, port: int) -> Put:
    meta = {"name": str(port), "labels": {"service": objects.name(service), "namespace": objects.namespace(service)}}
    return Put(_key(port), _HEAD, keys.tail({"metadata": meta, "range": str(port), "data": ""}), 0)


async def repair(store: contract.Store, services: list[Object]) -> list[Put | Delete]:
    """What makes the entries those of these Services, which are all there are."""
    there = {int(entry.key.removeprefix(PREFIX)): entry for entry in (await store.list(PREFIX)).entries}
    wanted = {port: service for service in services for port in held_ports(service)}
    missing = [taken(service, port) for port, service in sorted(wanted.items()) if port not in there]
    return [*missing, *(_freed(port, entry) for port, entry in there.items() if port not in wanted)]


def _freed(port: int, entry: contract.Entry) -> Delete:
    return Delete(_key(port), _HEAD, entry.value[len(_HEAD) + len(str(entry.revision)) :], entry.revision)


def _key(port: int) -> str:
    return f"{PREFIX}{port}"
