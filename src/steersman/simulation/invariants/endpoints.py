"""Once quiet, a Service leads to exactly its ready pods: in its EndpointSlices, in the packet rules, and in DNS."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.dns import wire
from steersman.meta import conditions, objects
from steersman.meta.objects import Object
from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.history import World, pod_counts


def check_end(cluster: SimulatedCluster) -> Iterator[str]:
    world = cluster.history.world
    for key, service in world.of(kinds.SERVICE).items():
        selector = service["spec"].get("selector")
        if not selector:
            continue
        ready = _ready(world, objects.namespace(service), selector)
        told = _told(world, service)
        if told != ready:
            yield f"service {key}: its slices lead to {sorted(told)}, ready are {sorted(ready)}"
        is_headless = service["spec"].get("clusterIP") == "None"
        ruled = ready if is_headless else _ruled(cluster, service)
        if ruled != ready:
            yield f"service {key}: the packet rules lead to {sorted(ruled)}, ready are {sorted(ready)}"
        yield from _name(cluster, service, len(ready) if is_headless else 1)


def _ready(world: World, namespace: str, selector: dict[str, str]) -> set[str]:
    return {
        pod["status"]["podIP"]
        for pod in world.of(kinds.POD).values()
        if objects.namespace(pod) == namespace
        and pod_counts(pod)
        and conditions.is_true(pod, "Ready")
        and all(objects.labels(pod).get(name) == value for name, value in selector.items())
    }


def _told(world: World, service: Object) -> set[str]:
    name, namespace = objects.name(service), objects.namespace(service)
    return {
        address
        for one in world.of(kinds.ENDPOINT_SLICE).values()
        if objects.namespace(one) == namespace and objects.labels(one).get("kubernetes.io/service-name") == name
        for endpoint in one.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready")
        for address in endpoint["addresses"]
    }


def _ruled(cluster: SimulatedCluster, service: Object) -> set[str]:
    """Targets of the elements whose key names the Service's address."""
    address = service["spec"]["clusterIP"]
    return {
        value.partition(" . ")[0]
        for (name, key), value in cluster.rules.elements.items()
        if key.startswith(f"{address} . ") and " . " in value and value.split(" . ")[0].startswith("10.244.")
    }


def _name(cluster: SimulatedCluster, service: Object, addresses: int) -> Iterator[str]:
    name = f"{objects.name(service)}.{objects.namespace(service)}.svc.cluster.local"
    answer = cluster.zone.answer(name, wire.A) if cluster.zone is not None else None
    found = len(answer.answers) if answer is not None else 0
    if found != addresses:
        yield f"{name} has {found} addresses in DNS instead of {addresses}"
