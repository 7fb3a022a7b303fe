"""Devices of plugins: which there are, which are free, whose they are. Pure.

Source: upstream's kubelet/cm/devicemanager. Capacity counts every device that a plugin has named, allocatable the healthy ones.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from steersman.containers import runtime
from steersman.meta import quantities
from steersman.meta.objects import Object

HEALTHY = "Healthy"


class Unavailable(Exception):
    """The text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """`count` devices for one container. `reusable` were given to init containers that have ended before it starts."""

    container: str
    resource: str
    count: int
    lasts: bool  # as long as the pod: not an init container


def wishes(pod: Object, resources: Iterable[str]) -> list[Wish]:
    """In the order in which containers start."""
    spec, found = pod["spec"], []
    for field in ("initContainers", "containers"):
        for one in spec.get(field) or []:
            limits = (one.get("resources") or {}).get("limits") or {}
            lasts = field == "containers" or one.get("restartPolicy") == "Always"
            for name in resources:
                if count := int(quantities.whole(str(limits.get(name, "0")))):
                    found.append(Wish(one["name"], name, count, lasts))
    return found


class Devices:
    """`health` by resource and device; `told`: what plugins said of that last, also those that are gone; `nodes`: the NUMA nodes of
    those devices whose plugin tells; `given` by pod, container and resource."""

    def __init__(self) -> None:
        self.health: dict[str, dict[str, str]] = {}
        self.told: dict[str, dict[str, str]] = {}
        self.nodes: dict[str, dict[str, frozenset[int]]] = {}
        self.given: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {}

    def capacity(self) -> dict[str, str]:
        return {name: str(len(found)) for name, found in self.health.items()}

    def allocatable(self) -> dict[str, str]:
        return {name: str(sum(one == HEALTHY for one in found.values())) for name, found in self.health.items()}

    def free(self, resource: str, besides: Iterable[str] = ()) -> list[str]:
        """Healthy ones that nobody has."""
        taken = {one for pod in self.given.values() for own in pod.values() for one in own.get(resource, ())}
        taken |= set(besides)
        healthy = (name for name, health in self.health.get(resource, {}).items() if health == HEALTHY)
        return sorted(name for name in healthy if name not in taken)

    def by_nearness(
        self, resource: str, names: Iterable[str], nodes: frozenset[int] | None
    ) -> tuple[list[str], list[str]]:
        """(those on these NUMA nodes, the others: of other nodes first, then of none). None: no matter where."""
        if nodes is None:
            return [], list(names)
        near, far, nowhere = list[str](), list[str](), list[str]()
        for one in names:
            place = self.nodes.get(resource, {}).get(one)
            (nowhere if place is None else near if place & nodes else far).append(one)
        return near, [*far, *nowhere]

    def candidates(self, wish: Wish, reusable: Sequence[str], chosen: Iterable[str]) -> tuple[list[str], list[str]]:
        """(those it has to take, all it may take). Raises Unavailable."""
        known = self.health.get(wish.resource, {})
        if HEALTHY not in known.values():
            raise Unavailable(f"no healthy devices present; cannot allocate unhealthy devices {wish.resource}")
        again = [one for one in reusable if known.get(one) == HEALTHY][: wish.count]
        free = self.free(wish.resource, chosen)
        if len(again) + len(free) < wish.count:
            raise Unavailable(
                f"requested number of devices unavailable for {wish.resource}. "
                f"Requested: {wish.count}, Available: {len(again) + len(free)}"
            )
        return again, [*again, *free]

    def give(self, uid: str, container: str, resource: str, ids: Sequence[str]) -> None:
        self.given.setdefault(uid, {}).setdefault(container, {})[resource] = tuple(ids)

    def release(self, uid: str) -> None:
        self.given.pop(uid, None)


def grant(answers: Iterable[Mapping[str, object]]) -> runtime.DeviceGrant:
    """What plugins answered for one container, together; the first word counts."""
    devices: dict[str, runtime.Device] = {}
    mounts: dict[str, runtime.Mount] = {}
    environment: dict[str, str] = {}
    annotations: dict[str, str] = {}
    cdi: dict[str, None] = {}
    for answer in answers:
        for one in _list(answer, "devices"):
            made = runtime.Device(
                one.get("host_path", ""), one.get("container_path", ""), one.get("permissions") or "rwm"
            )
            devices.setdefault(made.container_path, made)
        for one in _list(answer, "mounts"):
            mount = runtime.Mount(one.get("container_path", ""), one.get("host_path", ""), bool(one.get("read_only")))
            mounts.setdefault(mount.container_path, mount)
        environment = {**_strings(answer, "envs"), **environment}
        annotations = {**_strings(answer, "annotations"), **annotations}
        cdi.update(dict.fromkeys(one.get("name", "") for one in _list(answer, "cdi_devices")))
    return runtime.DeviceGrant(
        tuple(devices.values()),
        tuple(mounts.values()),
        tuple(environment.items()),
        tuple(annotations.items()),
        tuple(cdi),
    )


def _strings(answer: Mapping[str, object], field: str) -> dict[str, str]:
    found = answer.get(field) or {}
    assert isinstance(found, dict)
    return found


def _list(answer: Mapping[str, object], field: str) -> list[Object]:
    found = answer.get(field) or []
    assert isinstance(found, list)
    return found
