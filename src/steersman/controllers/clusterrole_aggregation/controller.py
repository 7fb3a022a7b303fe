"""What the aggregation controller watches and sees. Any change of a role may concern any aggregated one: there are few."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers.clusterrole_aggregation import decide
from steersman.controllers.clusterrole_aggregation.decide import Seen
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.meta import objects
from steersman.meta.objects import Object

_AGGREGATED = "aggregated"


def controller() -> Controller:
    return Controller(
        name="clusterrole-aggregation-controller",
        watches=(Watch(kinds.CLUSTER_ROLE, keys),),
        observe=observe,
        decide=decide.decide,
        indexes=(Index(kinds.CLUSTER_ROLE, _AGGREGATED, lambda role: ("",) if role.get("aggregationRule") else ()),),
    )


def keys(caches: Caches, role: Object) -> Iterable[str]:
    return map(objects.key, caches.of(kinds.CLUSTER_ROLE).by_index(_AGGREGATED, ""))


def observe(look: Look, key: str) -> Seen | None:
    cache = look.caches.of(kinds.CLUSTER_ROLE)
    role = cache.get(key)
    return Seen(role, cache.list()) if role is not None and role.get("aggregationRule") else None
