"""How the devices of a pod's containers are: `allocatedResourcesStatus` of their statuses (KEP-4680). Pure.

Source: upstream's UpdateAllocatedResourcesStatus (devicemanager, dra). A device of which a plugin has told nothing is healthy, and
what it told last holds when it is gone; one of a claim is unknown until its driver tells. Init containers show nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from steersman.meta.objects import Object

HEALTHY, UNHEALTHY, UNKNOWN = "Healthy", "Unhealthy", "Unknown"

Statuses = Mapping[str, Sequence[Object]]  # by container
NONE: Statuses = {}


class Device(NamedTuple):
    """Of a claim. `id` is its name for people: the one that the container runtime knows it by, if it has one."""

    id: str
    health: str
    message: str = ""


def of_plugins(given: Mapping[str, Mapping[str, Sequence[str]]], told: Mapping[str, Mapping[str, str]]) -> Statuses:
    """`given` by container and resource; `told` by resource and device."""
    return {
        container: [
            {"name": resource, "resources": [_of_plugin(one, told.get(resource, {})) for one in sorted(names)]}
            for resource, names in sorted(by_resource.items())
        ]
        for container, by_resource in given.items()
    }


def of_claims(pod: Object, devices: Callable[[str, str], Iterable[Device]]) -> Statuses:
    """`devices` of a claim of the pod and a request of it, "" for all of the claim."""
    found = {}
    for container in pod["spec"]["containers"]:
        statuses = []
        for named in (container.get("resources") or {}).get("claims") or ():
            claim, request = named["name"], named.get("request") or ""
            healths = [_of_claim(one) for one in devices(claim, request)]
            if healths:
                statuses.append(
                    {"name": f"claim:{claim}/{request}" if request else f"claim:{claim}", "resources": healths}
                )
        if statuses:
            found[container["name"]] = statuses
    return found


def together(*parts: Statuses) -> Statuses:
    found: dict[str, list[Object]] = {}
    for part in parts:
        for container, statuses in part.items():
            found.setdefault(container, []).extend(statuses)
    return found


def _of_plugin(device: str, told: Mapping[str, str]) -> Object:
    health = HEALTHY if told.get(device, HEALTHY) == HEALTHY else UNHEALTHY
    return {"resourceID": device, "health": health}


def _of_claim(device: Device) -> Object:
    shown = {"resourceID": device.id, "health": device.health}
    return {**shown, "message": device.message} if device.message else shown
