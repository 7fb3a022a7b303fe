"""The caches of Gateway API's kinds: there once somebody has defined them, gone when they are.

Reads: CustomResourceDefinitions.  Leaves to others: defining them (`--gateway-api`, or upstream's own manifests).
"""

import asyncio
from collections.abc import Callable

from steersman.api import kinds
from steersman.api.custom import kinds as custom_kinds
from steersman.api.kind import Kind
from steersman.client.cache import Cache, Caches
from steersman.ingress.gateway.listeners import GROUP, Seen
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

_PLURALS = ("gatewayclasses", "gateways", "httproutes", "referencegrants")
_VERSIONS = ("v1", "v1beta1")  # the newest first

Notice = Callable[[Object | None, Object | None], None]


class Following:
    """`notice` is told of every change of what there is."""

    def __init__(self, caches: Caches, notice: Notice) -> None:
        self._caches = caches
        self._notice = notice
        self._definitions = caches.of(kinds.CUSTOM_RESOURCE_DEFINITION)
        self._namespaces = caches.of(kinds.NAMESPACE)
        self._followed: dict[str, tuple[Kind, Cache, Callable[[], None]]] = {}  # by plural

    def start(self) -> Callable[[], None]:
        """Returns what ends it."""
        ends = [self._definitions.subscribe(self._defined), self._namespaces.subscribe(self._notice)]

        def end() -> None:
            for one in [*ends, *(unsubscribe for _, _, unsubscribe in self._followed.values())]:
                one()

        return end

    async def wait_synced(self) -> None:
        await self._definitions.synced.wait()
        await self._namespaces.synced.wait()
        await asyncio.gather(*(cache.synced.wait() for _, cache, _ in self._followed.values()))

    def kind(self, obj: Object) -> Kind:
        """The row an object of these kinds came by."""
        return next(kind for kind, _, _ in self._followed.values() if kind.kind == obj["kind"])

    def seen(self) -> Seen:
        found = {plural: cache.list() for plural, (_, cache, _) in self._followed.items()}
        labels = {objects.name(one): objects.labels(one) for one in self._namespaces.list()}
        classes, gateways, routes, grants = (found.get(plural, []) for plural in _PLURALS)
        return Seen(classes, gateways, routes, grants, labels)

    def _defined(self, old: Object | None, new: Object | None) -> None:
        plural, _, group = objects.name(new or old or {"metadata": {}}).partition(".")
        if group != GROUP or plural not in _PLURALS:
            return
        known = self._followed.get(plural)
        wanted = _row(new) if new is not None else None
        if known is not None and (wanted is None or wanted.version != known[0].version):
            known[2]()
            del self._followed[plural]
            known = None
            self._notice(old, None)
        if known is None and wanted is not None:
            cache = self._caches.of(wanted)
            self._followed[plural] = (wanted, cache, cache.subscribe(self._notice))


def _row(definition: Object) -> Kind | None:
    """Of the newest version that is served and known here."""
    if not conditions.is_true(definition, "Established"):
        return None
    rows = {row.version: row for row in custom_kinds.of(definition)}
    return next((rows[version] for version in _VERSIONS if version in rows), None)
