"""The scheduler's picture of the cluster: numbers over all nodes, changed in place as nodes and pods come and go.

Keeps true: `requested` is the sum over the pods known on each node, assumed ones included; a pod counts at most once.
Written by the controller (what the caches say) and by `decide` (its own placements); read by filters and scores.
A node is a row; rows of nodes that left are used again, and `alive` tells which rows are nodes now.
"""

import collections
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from steersman.api.host_ports import HostPort
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler import requests
from steersman.scheduler.counts import Counts
from steersman.scheduler.devices import Devices
from steersman.scheduler.images import Images
from steersman.scheduler.label_columns import LabelColumns, Mask
from steersman.scheduler.nominations import Nomination, Nominations
from steersman.scheduler.pending import PodGroup
from steersman.scheduler.shape import Shape
from steersman.scheduler.volumes import Volumes

_ROWS_AT_FIRST = 16
_FIRST_RESOURCES = (requests.CPU, requests.MEMORY, requests.PODS, "ephemeral-storage")

CPU, MEMORY, PODS = range(3)  # rows of the resource arrays

Amounts = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str
    effect: str


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PlacedPod:
    """`started` as in its status (or when it was made): of one priority, who runs longer is more important.

    `pod_group` is namespace/name of its PodGroup, "" for none.
    """

    shape: Shape
    node: str
    terminating: bool
    priority: int = 0
    started: str = ""
    pod_group: str = ""


@dataclasses.dataclass(slots=True, eq=False)
class _Node:
    """What one row was filled from, to see whether a new state changes anything."""

    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    allocatable: Mapping[str, Any]
    images: Sequence[Mapping[str, Any]] = ()
    taints: tuple[Taint, ...] = ()


class Snapshot:
    """`allocatable[resource, row]`, `requested[resource, row]`; `for_scores[0 cpu | 1 memory, row]` is requested with the
    defaults of pods that ask for nothing."""

    def __init__(self) -> None:
        rows = _ROWS_AT_FIRST
        self.names: list[str] = [""] * rows
        self.alive: Mask = np.zeros(rows, np.bool_)
        self.unschedulable: Mask = np.zeros(rows, np.bool_)
        self.resources = {name: index for index, name in enumerate(_FIRST_RESOURCES)}
        self.allocatable: Amounts = np.zeros((len(_FIRST_RESOURCES), rows), np.int64)
        self.requested: Amounts = np.zeros((len(_FIRST_RESOURCES), rows), np.int64)
        self.for_scores: Amounts = np.zeros((2, rows), np.int64)
        self.labels = LabelColumns(rows)
        self.counts = Counts(rows)
        self.taints: dict[Taint, Mask] = {}
        self.ports: dict[tuple[str, int], dict[int, list[str]]] = {}  # (protocol, port) → row → host addresses in use
        self.images = Images()
        self.volumes = Volumes()
        self.devices = Devices()
        self.budgets: dict[str, Object] = {}  # PodDisruptionBudgets, by key
        self.groups: dict[str, PodGroup] = {}  # by namespace/name
        self.nominations = Nominations(self._keep_room)
        self._priorities: collections.Counter[int] = collections.Counter()  # of the pods on nodes
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._row_of: dict[str, int] = {}
        self._free = list(range(rows - 1, -1, -1))
        self._nodes: dict[str, _Node] = {}
        self._pods: dict[str, PlacedPod] = {}
        self._pods_of: dict[str, dict[str, None]] = {}  # node name (known or not) → pod keys
        self._members: dict[str, dict[str, None]] = {}  # PodGroup → keys of its pods that have nodes

    def __len__(self) -> int:
        """How many nodes there are."""
        return len(self._row_of)

    @property
    def rows(self) -> int:
        return len(self.names)

    def row_of(self, name: str) -> int | None:
        return self._row_of.get(name)

    def pod(self, key: str) -> PlacedPod | None:
        return self._pods.get(key)

    def pod_keys(self) -> Collection[str]:
        """Of all pods that have nodes."""
        return self._pods.keys()

    def pods_of(self, node: str) -> Iterable[str]:
        return tuple(self._pods_of.get(node, ()))

    def members_of(self, pod_group: str) -> Collection[str]:
        """Pods of the group that have nodes."""
        return tuple(self._members.get(pod_group, ()))

    # Nodes

    def set_node(self, node: Object) -> bool:
        """Add or update; says whether anything that matters here has changed (heartbeats do not)."""
        name = objects.name(node)
        spec, status = node.get("spec") or {}, node.get("status") or {}
        allocatable, images = status.get("allocatable") or {}, status.get("images") or ()
        seen = _Node(objects.labels(node), spec, allocatable, images)
        old, row = self._nodes.get(name), self._row_of.get(name)
        if old is not None and (old.labels, old.spec, old.allocatable) == (seen.labels, spec, allocatable):
            assert row is not None, "a node that is known has a row"
            if old.images != images:
                old.images = images
                self.images.set(row, images)  # no pod fits for that
            return False
        is_new = row is None
        if row is None:
            row = self._take_row(name)
        self._nodes[name] = seen
        self._set_allocatable(row, requests.amounts(allocatable))
        self.unschedulable[row] = bool(spec.get("unschedulable"))
        self._set_taints(row, old.taints if old else (), seen, spec.get("taints") or ())
        self.labels.set(row, seen.labels)
        self.images.set(row, images)
        if is_new:
            for key in self._pods_of.get(name, ()):
                self._count(self._pods[key], row, 1)
            # At a start nominations may be seen before their nodes: what is given back later must have been kept.
            for _, nomination in self.nominations.on(name):
                self._keep_room(nomination, 1)
        return True

    def remove_node(self, name: str) -> None:
        row = self._row_of.get(name)
        if row is None:
            return
        for key, _ in self.nominations.on(name):
            self.nominations.drop(key)
        for key in self._pods_of.get(name, ()):
            self._count(self._pods[key], row, -1)
        old = self._nodes.pop(name)
        self._drop_taints(row, old.taints)
        self.labels.remove(row)
        self.images.remove(row)
        self.allocatable[:, row] = 0
        self.unschedulable[row] = self.alive[row] = False
        self.names[row] = ""
        del self._row_of[name]
        self._free.append(row)

    def labels_of_row(self, row: int) -> Mapping[str, str]:
        return self.labels.of_row(row)

    # Namespaces

    def labels_of(self, namespace: str) -> Mapping[str, str]:
        return self._namespaces.get(namespace, {})

    def set_namespace(self, name: str, labels: Mapping[str, str]) -> bool:
        """Says whether that changed anything. A namespace that is gone has no labels."""
        if self.labels_of(name) == labels:
            return False
        if labels:
            self._namespaces[name] = labels
        else:
            del self._namespaces[name]
        self.counts.forget_tallies()
        return True

    # Pods

    def set_pod(
        self,
        key: str,
        shape: Shape,
        node: str,
        *,
        terminating: bool = False,
        priority: int = 0,
        started: str = "",
        pod_group: str = "",
    ) -> bool:
        """Put the pod on the node, taking it from where it was; says whether that changed anything that others are placed by."""
        old, new = self._pods.get(key), PlacedPod(shape, node, terminating, priority, started, pod_group)
        is_new = old is None or (old.shape, old.node, old.terminating) != (shape, node, terminating)
        if is_new or old is None or (old.priority, old.started) != (priority, started):
            self.remove_pod(key)
            self.put_back(key, new)
        return is_new

    def put_back(self, key: str, pod: PlacedPod) -> None:
        """A pod that is nowhere."""
        self._pods[key] = pod
        self._priorities[pod.priority] += 1
        self._pods_of.setdefault(pod.node, {})[key] = None
        if pod.pod_group:
            self._members.setdefault(pod.pod_group, {})[key] = None
        self.volumes.use(key, pod.shape.claims)
        row = self._row_of.get(pod.node)
        if row is not None:
            self._count(pod, row, 1)

    def set_terminating(self, key: str, *, terminating: bool) -> None:
        """Of a pod that has been told to go, or, after all, has not."""
        pod = self._pods.get(key)
        if pod is not None and pod.terminating != terminating:
            self.remove_pod(key)
            self.put_back(key, dataclasses.replace(pod, terminating=terminating))

    def has_below(self, priority: int) -> bool:
        """Any pod of lower priority, on any node."""
        return any(known < priority for known in self._priorities)

    def remove_pod(self, key: str) -> bool:
        pod = self._pods.pop(key, None)
        if pod is None:
            return False
        self.volumes.leave(key, pod.shape.claims)
        self._priorities[pod.priority] -= 1
        if not self._priorities[pod.priority]:
            del self._priorities[pod.priority]
        _drop(self._pods_of, pod.node, key)
        if pod.pod_group:
            _drop(self._members, pod.pod_group, key)
        row = self._row_of.get(pod.node)
        if row is not None:
            self._count(pod, row, -1)
        return True

    def resource(self, name: str) -> int:
        """The index of a resource in the arrays; a name never seen gets a row of zeros."""
        index = self.resources.get(name)
        if index is None:
            index = self.resources[name] = len(self.resources)
            row = np.zeros((1, self.rows), np.int64)
            self.allocatable = np.concatenate([self.allocatable, row])
            self.requested = np.concatenate([self.requested, row])
        return index

    def _count(self, pod: PlacedPod, row: int, sign: int) -> None:
        shape = pod.shape
        self._count_room(shape, row, sign)
        self.for_scores[0, row] += sign * shape.for_scores[0]
        self.for_scores[1, row] += sign * shape.for_scores[1]
        self.counts.add(shape.group, row, sign, terminating=pod.terminating)

    def _count_room(self, shape: Shape, row: int, sign: int) -> None:
        for name, amount in shape.amounts.items():
            index = self.resource(name)  # first: it may replace the array
            self.requested[index, row] += sign * amount
        self.requested[PODS, row] += sign
        for port in shape.host_ports:
            self._count_port(port, row, sign)

    def _keep_room(self, nomination: Nomination, sign: int) -> None:
        row = self._row_of.get(nomination.node)
        if row is not None:
            self._count_room(nomination.shape, row, sign)

    def _count_port(self, port: HostPort, row: int, sign: int) -> None:
        protocol, address, number = port
        in_use = self.ports.setdefault((protocol, number), {})
        if sign > 0:
            in_use.setdefault(row, []).append(address)
            return
        in_use[row].remove(address)
        if not in_use[row]:
            del in_use[row]
            if not in_use:
                del self.ports[protocol, number]

    def _set_allocatable(self, row: int, amounts: Mapping[str, int]) -> None:
        for name in amounts:
            self.resource(name)
        self.allocatable[:, row] = 0
        for name, amount in amounts.items():
            self.allocatable[self.resources[name], row] = amount

    def _set_taints(self, row: int, old: tuple[Taint, ...], node: _Node, taints: Iterable[Mapping[str, Any]]) -> None:
        self._drop_taints(row, old)
        read = (Taint(t.get("key", ""), t.get("value") or "", t.get("effect", "")) for t in taints)
        node.taints = tuple(dict.fromkeys(read))
        for taint in node.taints:
            if taint not in self.taints:
                self.taints[taint] = np.zeros(self.rows, np.bool_)
            self.taints[taint][row] = True

    def _drop_taints(self, row: int, taints: Iterable[Taint]) -> None:
        for taint in taints:
            mask = self.taints[taint]
            mask[row] = False
            if not mask.any():
                del self.taints[taint]

    def _take_row(self, name: str) -> int:
        if not self._free:
            self._grow(self.rows * 2)
        row = self._free.pop()
        self._row_of[name] = row
        self.names[row] = name
        self.alive[row] = True
        return row

    def _grow(self, rows: int) -> None:
        now = self.rows
        more = rows - now
        self._free = list(range(rows - 1, now - 1, -1))
        self.names += [""] * more
        self.alive = _longer(self.alive, more)
        self.unschedulable = _longer(self.unschedulable, more)
        self.taints = {taint: _longer(mask, more) for taint, mask in self.taints.items()}
        self.allocatable = _wider(self.allocatable, more)
        self.requested = _wider(self.requested, more)
        self.for_scores = _wider(self.for_scores, more)
        self.labels.grow(rows)
        self.counts.grow(rows)


def _drop(keys_of: dict[str, dict[str, None]], name: str, key: str) -> None:
    keys = keys_of[name]
    del keys[key]
    if not keys:
        del keys_of[name]


def _longer(mask: Mask, more: int) -> Mask:
    return np.concatenate([mask, np.zeros(more, np.bool_)])


def _wider(amounts: Amounts, more: int) -> Amounts:
    return np.concatenate([amounts, np.zeros((len(amounts), more), np.int64)], axis=1)
