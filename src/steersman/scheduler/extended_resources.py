"""Extended resources that nodes do not count but drivers offer as devices: what a pod asks for, as requests of one claim.

Source: KEP-5004. Containers that run beside each other have devices of their own; init containers that end before others start
use theirs first.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence

from steersman.api import devices
from steersman.meta import quantities
from steersman.meta.objects import Object

CLASS_PREFIX = "deviceclass.resource.kubernetes.io/"  # of the name that every class has without being given one
ANNOTATION = "resource.kubernetes.io/extended-resource-claim"
CLAIM = devices.EXTENDED  # in the place of a name while the claim is not made
_NATIVE = "kubernetes.io/"


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """`count` of `resource` for a container. `index` counts init containers first; `place` is that of the resource's name among
    all that the container asks for; `ends`: an init container that is no sidecar."""

    index: int
    place: int
    container: str
    resource: str
    count: int
    ends: bool


def is_extended(name: str) -> bool:
    if name.startswith(CLASS_PREFIX):
        return True
    return "/" in name and _NATIVE not in name and not name.startswith("requests.")


def uses_of(pod: Object) -> tuple[Use, ...]:
    return tuple(_uses(pod["spec"]))


def classes_by_resource(classes: Mapping[str, Object]) -> dict[str, str]:
    """Class names. Of two classes for one resource the newer, of equals the first by name."""
    found = {}
    for name in sorted(classes, key=lambda one: (_age(classes[one]), _reversed(one))):
        resource = classes[name]["spec"].get("extendedResourceName")
        if resource:
            found[resource] = name
    return found | {CLASS_PREFIX + name: name for name in classes}


def requests(
    uses: Sequence[Use], resources: Collection[str], classes: Mapping[str, str]
) -> tuple[list[Object], list[Object]]:
    """Requests of the claim for these of the resources, and which container each is for (as the pod's status says it)."""
    made: list[Object] = []
    mappings: list[Object] = []
    for resource in sorted(resources):
        mine = [use for use in uses if use.resource == resource]
        taken: list[tuple[Use, Object]] = []
        for use in (*(one for one in mine if not one.ends), *(one for one in mine if one.ends)):
            # What starts only when this one has ended, and what others like it have had before.
            free = [request for other, request in taken if other.ends or other.index > use.index] if use.ends else []
            left = use.count
            for request in free:
                if left > 0:
                    mappings.append(_mapping(use, request))
                    left -= request["exactly"]["count"]
            if left > 0:
                exactly = {"deviceClassName": classes[resource], "allocationMode": "ExactCount", "count": left}
                request = {"name": f"container-{use.index}-request-{use.place}", "exactly": exactly}
                taken.append((use, request))
                made.append(request)
                mappings.append(_mapping(use, request))
    return made, mappings


def _uses(spec: Object) -> Iterator[Use]:
    init = spec.get("initContainers") or []
    for index, container in enumerate([*init, *spec["containers"]]):
        asked = (container.get("resources") or {}).get("requests") or {}
        ends = index < len(init) and container.get("restartPolicy") != "Always"
        for place, name in enumerate(sorted(asked)):
            count = quantities.whole(asked[name]) if is_extended(name) else 0
            if count > 0:
                yield Use(index, place, container["name"], name, count, ends)


def _mapping(use: Use, request: Object) -> Object:
    return {"containerName": use.container, "resourceName": use.resource, "requestName": request["name"]}


def _age(found: Object) -> str:
    return str(found["metadata"].get("creationTimestamp") or "")


def _reversed(name: str) -> tuple[int, ...]:
    return tuple(-ord(char) for char in name)
