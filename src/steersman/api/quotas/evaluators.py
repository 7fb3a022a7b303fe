"""What objects of each kind use: most only their number, `count/PLURAL.GROUP`."""

import dataclasses
import datetime
from collections.abc import Callable, Collection, Iterable

from steersman.api.quotas import claims, lists, pods
from steersman.api.quotas.lists import Amounts
from steersman.meta.objects import Object

# Events are many and expire by themselves; upstream has never counted them.
IGNORED = frozenset((("", "events"), ("events.k8s.io", "events"), ("", "bindings")))

# Older names of the number of objects.
_ALIASES = frozenset(("configmaps", "resourcequotas", "replicationcontrollers", "secrets"))

_SERVICES = frozenset(("count/services", "services", "services.nodeports", "services.loadbalancers"))


def _never(requirement: Object, obj: Object) -> bool:
    return False


def _nothing(names: Collection[str], obj: Object) -> str:
    return ""


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluator:
    """`covers(name)`: this resource of a quota is about such objects. `usage(obj, now)` gives all it uses.
    `is_in(requirement, obj)`: whether a scope of a quota includes it. `missing(names, obj)` says what it must tell and does not.
    `updates` are the subresources ("": the object) whose updates may change the usage."""

    covers: Callable[[str], bool]
    usage: Callable[[Object, datetime.datetime], Amounts]
    is_in: Callable[[Object, Object], bool] = _never
    missing: Callable[[Collection[str], Object], str] = _nothing
    updates: tuple[str, ...] = ()

    def covered(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self.covers(name)]


def of(group: str, plural: str) -> Evaluator | None:
    """None for what is never counted."""
    if (group, plural) in IGNORED:
        return None
    return _SPECIAL.get((group, plural)) or _counter(group, plural)


def count_name(group: str, plural: str) -> str:
    return f"count/{plural}.{group}" if group else f"count/{plural}"


def _counter(group: str, plural: str) -> Evaluator:
    names = {count_name(group, plural)} | ({plural} if not group and plural in _ALIASES else set())
    return Evaluator(names.__contains__, lambda obj, now: dict.fromkeys(names, lists.ONE))


def _service(service: Object, now: datetime.datetime) -> Amounts:
    """Node ports are allocated later: what counts is how many will be."""
    spec = service.get("spec") or {}
    ports, kind = spec.get("ports") or (), spec.get("type")
    number = len(ports) if kind in ("NodePort", "LoadBalancer") else 0
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        number = sum(1 for port in ports if port.get("nodePort"))
    return {
        "count/services": lists.ONE,
        "services": lists.ONE,
        "services.nodeports": lists.count(number),
        "services.loadbalancers": lists.count(int(kind == "LoadBalancer")),
    }


_SPECIAL: dict[tuple[str, str], Evaluator] = {
    ("", "pods"): Evaluator(pods.covers, pods.usage, pods.is_in, pods.missing, updates=("resize",)),
    ("", "services"): Evaluator(_SERVICES.__contains__, _service, updates=("",)),
    ("", "persistentvolumeclaims"): Evaluator(claims.covers, claims.usage, claims.is_in, updates=("", "status")),
    ("resource.k8s.io", "resourceclaims"): Evaluator(claims.covers_devices, claims.device_usage, updates=("",)),
}
