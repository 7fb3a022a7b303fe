"""What the EndpointSlice controller watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import indexes, pods
from steersman.controllers.endpointslice import decide, endpoints, slices, topology
from steersman.controllers.endpointslice.decide import Seen
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.meta import conditions, objects, selectors
from steersman.meta.objects import Object

_SELECTOR = "first-selector-label"


def controller() -> Controller:
    return Controller(
        name="endpoint-slice-controller",
        watches=(
            Watch(kinds.SERVICE, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.POD, keys_of_pod, _matters),
            Watch(kinds.ENDPOINT_SLICE, keys_of_slice),
            Watch(kinds.ENDPOINTS, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.NODE, keys_of_node, _zone_changed),
            Watch(kinds.NODE, _with_hints, _shares_changed),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(
            indexes.by_label(kinds.POD),
            indexes.by_label(kinds.ENDPOINT_SLICE),
            indexes.by_node(kinds.POD),
            Index(kinds.SERVICE, _SELECTOR, _first_label),
            Index(kinds.SERVICE, topology.MODE, lambda service: ("",) if topology.is_wanted(service) else ()),
        ),
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    """The Services that select it, found by the first label they ask for."""
    labels, space, cache = objects.labels(pod), objects.namespace(pod), caches.of(kinds.SERVICE)
    return [
        objects.key(one)
        for key, value in labels.items()
        for one in cache.by_index(_SELECTOR, f"{space}/{key}={value}")
        if one["spec"]["selector"].items() <= labels.items()
    ]


def _first_label(service: Object) -> Iterable[str]:
    """What `keys_of_pod` finds a Service by: one label of its selector, so that it is found once."""
    selector = (service.get("spec") or {}).get("selector")
    if not selector:
        return ()
    key = min(selector)
    return (f"{objects.namespace(service)}/{key}={selector[key]}",)


def keys_of_slice(caches: Caches, found: Object) -> Iterable[str]:
    name = objects.labels(found).get(slices.SERVICE_NAME)
    return (f"{objects.namespace(found)}/{name}",) if name else ()


def keys_of_node(caches: Caches, node: Object) -> Iterable[str]:
    found = caches.of(kinds.POD).by_index(indexes.NODE, objects.name(node))
    return {key for pod in found for key in keys_of_pod(caches, pod)}


def _zone_changed(old: Object | None, new: Object | None) -> bool:
    return old is not None and new is not None and _zone(old) != _zone(new)


def _with_hints(caches: Caches, node: Object) -> Iterable[str]:
    """Services whose endpoints are for zones by how large these are."""
    return [objects.key(service) for service in caches.of(kinds.SERVICE).by_index(topology.MODE, "")]


def _shares_changed(old: Object | None, new: Object | None) -> bool:
    return old is None or new is None or _share(old) != _share(new)


def _share(node: Object) -> tuple[object, ...]:
    cpus = ((node.get("status") or {}).get("allocatable") or {}).get("cpu")
    return cpus, conditions.is_true(node, "Ready"), objects.labels(node)


def _zone(node: Object) -> str:
    return objects.labels(node).get(endpoints.ZONE, "")


def _matters(old: Object | None, new: Object | None) -> bool:
    """Only changes of what an endpoint says of its pod."""
    if old is None or new is None:
        return True
    return _facts(old) != _facts(new) or objects.labels(old) != objects.labels(new)


def _facts(pod: Object) -> tuple[object, ...]:
    status = pod.get("status") or {}
    return (
        status.get("podIP"),
        status.get("podIPs"),
        pods.is_ready(pod),
        pods.is_finished(pod),
        pods.is_terminating(pod),
        pods.node_name(pod),
    )


def observe(look: Look, key: str) -> Seen | None:
    service = look.caches.of(kinds.SERVICE).get(key)
    found = look.caches.of(kinds.ENDPOINTS).get(key)
    if service is None:
        return Seen(None, endpoints=found) if found is not None else None
    space, name = objects.split_key(key)
    own = look.caches.of(kinds.ENDPOINT_SLICE).by_index(indexes.LABEL, f"{space}/{slices.SERVICE_NAME}={name}")
    own = [one for one in own if objects.labels(one).get(slices.MANAGED_BY) == slices.MANAGER]
    own.sort(key=objects.name)
    selector = service["spec"].get("selector")
    everyone = indexes.selected(look.caches.of(kinds.POD), space, selectors.from_map(selector)) if selector else []
    return Seen(
        service=service,
        pods=everyone,
        slices=[one for one in own if not objects.is_terminating(one)],
        endpoints=found,
        zones=_zones(look.caches, everyone),
        trigger_time=_trigger_time(service, everyone),
        cpu_shares=topology.cpu_shares(look.caches.of(kinds.NODE).list()) if topology.is_wanted(service) else None,
    )


def _zones(caches: Caches, everyone: Iterable[Object]) -> dict[str, str]:
    cache = caches.of(kinds.NODE)
    found = {name: cache.get(name) for name in {pods.node_name(pod) for pod in everyone} if name}
    return {name: _zone(node) for name, node in found.items() if node is not None and _zone(node)}


def _trigger_time(service: Object, everyone: Iterable[Object]) -> str:
    """When the newest pod became ready or not; the Service's creation when it has no pods."""
    changes = [str((pods.ready_condition(pod) or {}).get("lastTransitionTime") or "") for pod in everyone]
    return max(changes, default="") or str(service["metadata"].get("creationTimestamp") or "")
