"""A pod's shape: everything about it that matters for choosing a node, read out once.

Pods of one template have the same shape, so a thousand replicas cost one reading and one evaluation.
"""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson

from steersman.api import host_ports
from steersman.api.host_ports import HostPort
from steersman.meta import objects, owners, selectors
from steersman.meta.objects import Object
from steersman.meta.selectors import Selector
from steersman.scheduler import affinity_terms, devices, extended_resources, requests, volumes
from steersman.scheduler.affinity_terms import Terms
from steersman.scheduler.devices import ResourceClaimUse
from steersman.scheduler.volumes import ClaimUse, InlineCsi

# Owners whose pods spread by default (upstream's DefaultSelector looks at these kinds, and at Services).
_SPREAD_OWNERS = frozenset({"ReplicaSet", "ReplicationController", "StatefulSet"})

# How many shapes are remembered; beyond it the least recently used is read again when next seen.
SHAPES_MAX = 10_000

_SORTED = orjson.OPT_SORT_KEYS


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Pods that counting cannot tell apart: of one namespace, label set and owner, saying the same about other pods.

    `key` is all of that as bytes: what makes two groups equal.
    """

    key: bytes
    namespace: str
    labels: Mapping[str, str]
    owner_uid: str  # "" unless the controller is of a kind whose pods spread by default
    terms: Terms

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and self.key == other.key


@dataclasses.dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """One of `spec.topologySpreadConstraints`; `hard` is DoNotSchedule. Pods of the own namespace count."""

    topology_key: str
    max_skew: int
    hard: bool
    selector: Selector
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """`amounts` are requests without the pod itself (see `requests`); `for_scores` has defaults for cpu and memory."""

    group: Group
    amounts: Mapping[str, int]
    for_scores: tuple[int, int]
    host_ports: tuple[HostPort, ...]
    node_selector: Mapping[str, str]
    affinity: Mapping[str, Any]
    tolerations: tuple[Mapping[str, Any], ...]
    spread: tuple[SpreadConstraint, ...]
    claims: tuple[ClaimUse, ...] = ()
    inline_csi: tuple[InlineCsi, ...] = ()
    resource_claims: tuple[ResourceClaimUse, ...] = ()
    images: tuple[str, ...] = ()
    extended: tuple[extended_resources.Use, ...] = ()


class Shapes:
    """Reads pods, giving pods of the same shape the same `Shape`."""

    def __init__(self, limit: int = SHAPES_MAX) -> None:
        self._limit = limit
        self._known: collections.OrderedDict[bytes, Shape] = collections.OrderedDict()

    def of(self, pod: Object) -> Shape:
        key = _key(pod)
        shape = self._known.get(key)
        if shape is None:
            shape = self._known[key] = read(pod)
            if len(self._known) > self._limit:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return shape


def read(pod: Object) -> Shape:
    spec = pod["spec"]
    return Shape(
        group=_group(pod),
        amounts={name: amount for name, amount in requests.of_pod(pod).items() if amount > 0},
        for_scores=requests.of_pod_for_scores(pod),
        host_ports=host_ports.of(spec),
        node_selector=spec.get("nodeSelector") or {},
        affinity=spec.get("affinity") or {},
        tolerations=tuple(spec.get("tolerations") or ()),
        spread=tuple(_spread_constraint(pod, one) for one in spec.get("topologySpreadConstraints") or ()),
        claims=volumes.uses_of(pod),
        inline_csi=volumes.inline_of(pod),
        resource_claims=devices.uses_of(pod),
        extended=extended_resources.uses_of(pod),
        images=tuple(_image(one) for field in _CONTAINERS for one in spec.get(field) or ()),
    )


def _group(pod: Object) -> Group:
    namespace, labels, owner = objects.namespace(pod), objects.labels(pod), _spread_owner(pod)
    affinity = pod["spec"].get("affinity") or {}
    about_pods = [affinity.get("podAffinity"), affinity.get("podAntiAffinity")]
    key = orjson.dumps([namespace, labels, owner, about_pods], option=_SORTED)
    return Group(key, namespace, labels, owner, affinity_terms.of_pod(pod))


def _key(pod: Object) -> bytes:
    spec = pod["spec"]
    parts = [
        objects.namespace(pod),
        objects.labels(pod),
        _spread_owner(pod),
        [_container_key(c) for c in spec["containers"]],
        [_container_key(c) for c in spec.get("initContainers") or ()],
        [spec.get(name) for name in _POD_FIELDS],
        [(one.key, one.pod_uid) for one in volumes.uses_of(pod)],
        [(one.driver, one.name) for one in volumes.inline_of(pod)],
        [(one.name, one.key) for one in devices.uses_of(pod)],
        requests.resized(pod),
    ]
    return orjson.dumps(parts, option=_SORTED)


_CONTAINERS = ("containers", "initContainers")
_POD_FIELDS = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "overhead", "resources")


def _spread_constraint(pod: Object, constraint: Mapping[str, Any]) -> SpreadConstraint:
    selector = selectors.from_object(constraint.get("labelSelector"))
    return SpreadConstraint(
        topology_key=constraint["topologyKey"],
        max_skew=int(constraint["maxSkew"]),
        hard=constraint["whenUnsatisfiable"] == "DoNotSchedule",
        selector=affinity_terms.with_label_keys(selector, pod, constraint.get("matchLabelKeys") or ()),
        min_domains=int(constraint.get("minDomains") or 1),
        honors_affinity=constraint.get("nodeAffinityPolicy") != "Ignore",
        honors_taints=constraint.get("nodeTaintsPolicy") == "Honor",
    )


def _image(container: Mapping[str, Any]) -> str:
    """As nodes name it: with a tag."""
    name = str(container.get("image") or "")
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _container_key(container: Mapping[str, Any]) -> list[Any]:
    get = container.get
    return [get("name"), get("image"), get("resources"), get("ports"), get("restartPolicy")]


def _spread_owner(pod: Object) -> str:
    owner = owners.controller_of(pod)
    return str(owner["uid"]) if owner is not None and owner.get("kind") in _SPREAD_OWNERS else ""
