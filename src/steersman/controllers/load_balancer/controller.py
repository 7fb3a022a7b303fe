"""What the load balancer controller watches and sees: all under one key, so that no two Services are given one address."""

from steersman.api import kinds
from steersman.controllers import indexes
from steersman.controllers.endpointslice import slices
from steersman.controllers.load_balancer import decide
from steersman.controllers.load_balancer.decide import Seen
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.meta import address_pools, conditions, objects
from steersman.meta.objects import Object

KEY = "load-balancers"
CONFIG = "kube-system/load-balancer"
_BALANCED = "load-balanced"


def controller(pool: str = "") -> Controller:
    """`pool` counts where the ConfigMap is silent."""

    def observe(look: Look, key: str) -> Seen | None:
        services = [one for one in look.caches.of(kinds.SERVICE).by_index(_BALANCED, "") if decide.is_ours(one)]
        if not services:
            return None
        config = look.caches.of(kinds.CONFIG_MAP).get(CONFIG)
        text = ((config or {}).get("data") or {}).get("pool") or pool
        problem = ""
        try:
            parsed = address_pools.parse(text)
        except address_pools.PoolError as wrong:
            parsed, problem = address_pools.Pool(), f"the pool of addresses cannot be read: {wrong}"
        nodes = [] if problem else look.caches.of(kinds.NODE).list()
        return Seen(services, nodes, _local(look, services), parsed, problem)

    return Controller(
        name="service-controller",
        watches=(
            Watch(kinds.SERVICE, _key, _service_matters),
            Watch(kinds.NODE, _key, _node_matters),
            Watch(kinds.CONFIG_MAP, _key, _config_matters),
            Watch(kinds.ENDPOINT_SLICE, _key, _slice_matters),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(
            indexes.by_label(kinds.ENDPOINT_SLICE),
            Index(kinds.SERVICE, _BALANCED, lambda one: ("",) if _is_balanced(one) else ()),
        ),
        workers=1,
    )


def _key(caches: object, obj: Object) -> tuple[str]:
    return (KEY,)


def _local(look: Look, services: list[Object]) -> dict[str, frozenset[str]]:
    """Of those that ask for it."""
    cache, found = look.caches.of(kinds.ENDPOINT_SLICE), {}
    for service in services:
        if service["spec"].get("externalTrafficPolicy") == "Local":
            label = f"{objects.namespace(service)}/{slices.SERVICE_NAME}={objects.name(service)}"
            found[objects.key(service)] = frozenset().union(*map(_nodes, cache.by_index(indexes.LABEL, label)))
    return found


def _nodes(found: Object) -> frozenset[str]:
    ready = (one for one in found.get("endpoints") or () if (one.get("conditions") or {}).get("ready", True))
    return frozenset(one["nodeName"] for one in ready if one.get("nodeName"))


def _is_balanced(service: Object) -> bool:
    return bool((service.get("spec") or {}).get("type") == "LoadBalancer")


def _service_matters(old: Object | None, new: Object | None) -> bool:
    return any(one is not None and _is_balanced(one) for one in (old, new))


def _node_matters(old: Object | None, new: Object | None) -> bool:
    return old is None or new is None or _facts(old) != _facts(new)


def _facts(node: Object) -> tuple[object, ...]:
    addresses = (node.get("status") or {}).get("addresses")
    return conditions.is_true(node, "Ready"), addresses, decide.EXCLUDED in objects.labels(node)


def _config_matters(old: Object | None, new: Object | None) -> bool:
    return objects.key(new or old or {}) == CONFIG


def _slice_matters(old: Object | None, new: Object | None) -> bool:
    return old is None or new is None or _nodes(old) != _nodes(new)
