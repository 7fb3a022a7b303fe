"""Choose nodes for pods: a pure function of the pods and the snapshot.

Keeps true: no node gets more than it has, and no hard constraint is broken, by the snapshot's own account.
Writes: its placements into the snapshot, as pods assumed to be there; the controller takes back what could not be bound.
Leaves to others: the order of the pods (queue), binding them (controller).

Pods of one shape are placed from one evaluation, which each placement updates where it matters.
"""

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from steersman.scheduler import preemption
from steersman.scheduler.devices import DevicePlan
from steersman.scheduler.filters import FILTERS, dynamic_resources, volume_binding
from steersman.scheduler.filters.check import Check, Failure, Refusal
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.pending import PendingGroup, PendingPod
from steersman.scheduler.scores import SCORES
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot
from steersman.scheduler.volumes import Plan

FAILED = "SchedulerError"
NO_NODES = "no nodes available to schedule pods"

# Younger than every time that is known.
JUST_NOW = "9999"
# Below every real score, so that a node that is not possible is never the best one.
_IMPOSSIBLE = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Placement:
    """`plan` and `devices`: what has to happen to the pod's volume claims and resource claims first."""

    pod: PendingPod
    node: str
    plan: Plan | None = None
    devices: DevicePlan | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Rejection:
    """No node will do. `message` is what users see; `filters` are upstream's names of those that said no.

    `reason`: of the condition PodScheduled. `deallocated`: the key of a claim to be given up, so that the pod finds a node.
    `nominated`: the node on which room is kept for it, "" for none; `victims` are the keys of pods that have to go for that,
    `overtaken` those of waiting pods for which room on that node is kept no more.
    """

    pod: PendingPod
    message: str
    filters: frozenset[str]
    nominated: str = ""
    victims: tuple[str, ...] = ()
    overtaken: tuple[str, ...] = ()
    reason: str = "Unschedulable"
    deallocated: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    placements: Sequence[Placement]
    rejections: Sequence[Rejection]
    groups: "Sequence[GroupOutcome]" = ()


@dataclasses.dataclass(frozen=True, slots=True)
class GroupOutcome:
    """What became of a PodGroup: the condition PodGroupInitiallyScheduled, and the filters that refused its pods."""

    group: PendingGroup
    scheduled: bool
    reason: str
    message: str = ""
    filters: frozenset[str] = frozenset()


def decide(pods: Iterable[PendingPod], snapshot: Snapshot) -> Decision:
    """Pods in order of priority, those of one priority grouped by shape in order of first appearance."""
    placements: list[Placement] = []
    rejections: list[Rejection] = []
    for shape, batch in _batches(pods, snapshot):
        with snapshot.nominations.as_seen_by(batch[0].key, batch[0].priority):
            evaluation = Evaluation(shape, snapshot)
            for pod in batch:
                row = evaluation.best(snapshot.nominations.node_of(pod.key))
                if row is None:
                    rejections.append(evaluation.reject(pod))
                else:
                    placements.append(place(pod, row, snapshot))
                    evaluation.placed(row)
    return Decision(placements, rejections)


def place(pod: PendingPod, row: int, snapshot: Snapshot) -> Placement:
    node = snapshot.names[row]
    plan = volume_binding.plan(pod.shape, snapshot, row)
    devices = dynamic_resources.plan(pod.key, pod.shape, snapshot, row)
    snapshot.nominations.drop(pod.key)
    snapshot.set_pod(pod.key, pod.shape, node, priority=pod.priority, started=JUST_NOW, pod_group=pod.pod_group)
    if plan is not None:
        snapshot.volumes.promise(plan)
    if devices is not None:
        snapshot.devices.promise(devices)
    return Placement(pod, node, plan, devices)


def take_back(placement: Placement, snapshot: Snapshot) -> None:
    """As if it had not been placed; a nomination that it had is not put back."""
    snapshot.remove_pod(placement.pod.key)
    if placement.plan is not None:
        snapshot.volumes.take_back(placement.plan)
    if placement.devices is not None:
        snapshot.devices.take_back(placement.devices)


def _batches(pods: Iterable[PendingPod], snapshot: Snapshot) -> Iterable[tuple[Shape, list[PendingPod]]]:
    """Whoever has been promised room goes before others of its priority, and alone: only it may use that room."""
    ordered = sorted(pods, key=lambda pod: -pod.priority)
    for _, equal in itertools.groupby(ordered, key=lambda pod: pod.priority):
        by_shape: dict[Shape, list[PendingPod]] = {}
        for pod in equal:
            if snapshot.nominations.node_of(pod.key):
                yield pod.shape, [pod]
            else:
                by_shape.setdefault(pod.shape, []).append(pod)
        yield from by_shape.items()


class Evaluation:
    """All filters and scores of one shape over all nodes (or some: `within`), kept right while pods of the shape are placed."""

    def __init__(self, shape: Shape, snapshot: Snapshot, within: Mask | None = None) -> None:
        self._shape = shape
        self._within = within
        self._snapshot = snapshot
        made = [(make, make(shape, snapshot)) for make in FILTERS]
        self._made = [(make, check) for make, check in made if check is not None]
        self._checks = [check for _, check in self._made]
        self._feasible = self._possible_nodes()
        weighted = [(score(shape, snapshot, self._feasible), weight) for score, weight in SCORES]
        self._scores = [(score, weight) for score, weight in weighted if score is not None]
        self._rank = self._ranks()
        self._explained: tuple[str, frozenset[str]] | None = None
        self._no_candidate: preemption.Reasons | None = None

    def possible(self) -> list[str]:
        """The names of the nodes that would do."""
        return [self._snapshot.names[row] for row in np.flatnonzero(self._feasible)]

    def refusals(self) -> dict[str, list[str]]:
        """Every reason against each node that would not do."""
        said = {}
        for row in np.flatnonzero(self._nodes() & ~self._feasible):
            refusing = [check for check in self._checks if not check.mask[row]]
            said[self._snapshot.names[row]] = [reason for check in refusing for reason in _reasons(check, int(row))]
        return said

    def best(self, nominated: str = "") -> int | None:
        """The row of the best node (of equals the first); None when there is none. `nominated` is taken if it will do."""
        preferred = self._snapshot.row_of(nominated) if nominated else None
        if preferred is not None and self._feasible[preferred]:
            return preferred
        row = int(self._rank.argmax())
        return row if self._rank[row] > _IMPOSSIBLE else None

    def placed(self, row: int) -> None:
        """A pod of this shape is now on `row`, in the snapshot too."""
        self._explained = self._no_candidate = None
        others_change = [check.placed(row) for check in self._checks]
        if any(others_change):
            self._feasible = self._possible_nodes()
        else:
            self._feasible[row] = all(check.mask[row] for check in self._checks)
        ranks_change = [score.placed(row, self._feasible) for score, _ in self._scores]
        if any(others_change) or any(ranks_change):
            self._rank = self._ranks()
        else:
            self._rank[row] = self._rank_of(row)

    def reject(self, pod: PendingPod) -> Rejection:
        """Why no node will do, and who has to go so that one will. Their room is then kept for the pod in the snapshot."""
        message, filters = self.explained()
        if any(isinstance(check, Failure) for check in self._checks):
            return Rejection(pod, message, filters, reason=FAILED)
        if message == NO_NODES:
            return Rejection(pod, message, filters)
        claim = self._stands_in_the_way(pod)
        return dataclasses.replace(self._make_room(pod, message, filters, self._about_claims(claim)), deallocated=claim)

    def _make_room(self, pod: PendingPod, message: str, filters: frozenset[str], claims: str) -> Rejection:
        """`claims` is what the user is told of claims that were in the way."""

        def refused(why: str, nominated: str = "") -> Rejection:
            return Rejection(pod, f"{message} {claims}, preemption: {why}", filters, nominated)

        nominated = self._snapshot.nominations.node_of(pod.key)
        if not pod.preempts:
            return refused(preemption.NEVER, nominated)
        if preemption.is_waiting(pod.key, pod.priority, self._snapshot, self._checks):
            return refused(preemption.WAITING, nominated)
        candidate, reasons = self._candidate(pod)
        if candidate is None:
            self._snapshot.nominations.drop(pod.key)
            return refused(_counted(len(self._snapshot), reasons))
        overtaken = self._keep_room(pod, candidate)
        return Rejection(pod, message, filters, candidate.node, candidate.keys, overtaken)

    def _about_claims(self, given_up: str) -> str:
        """Upstream's answers; the first one is that for pods without resource claims."""
        as_devices = any(isinstance(check, dynamic_resources.Devices) for check in self._checks)
        if not self._shape.resource_claims and not as_devices:
            return "no new claims to deallocate"
        return "deallocation of ResourceClaim completed" if given_up else "still not schedulable"

    def _stands_in_the_way(self, pod: PendingPod) -> str:
        """A claim that could be given up for nodes which nothing else speaks against; "" for none."""
        found = next((check for check in self._checks if isinstance(check, dynamic_resources.Devices)), None)
        if found is None:
            return ""
        others = self._nodes()
        for check in self._checks:
            if check is not found:
                others &= check.mask
        return found.stands_in_the_way(pod.uid, np.flatnonzero(others))

    def explained(self) -> tuple[str, frozenset[str]]:
        """Why no node will do, and the filters that say so."""
        if self._explained is None:
            self._explained = self._explain()
        return self._explained

    def _candidate(self, pod: PendingPod) -> tuple[preemption.Candidate | None, preemption.Reasons]:
        """What was not found for one pod is not found for the next of its batch."""
        if self._no_candidate is not None:
            return None, self._no_candidate
        refusal = next((check for check in self._checks if isinstance(check, Refusal)), None)
        if refusal is not None:
            reasons = collections.Counter({preemption.NOT_HELPFUL: len(self._snapshot)})
            return None, reasons
        outcome = preemption.decide(self._shape, pod.priority, self._snapshot, self._made)
        if outcome.candidate is None:
            self._no_candidate = outcome.reasons
        return outcome.candidate, outcome.reasons

    def _keep_room(self, pod: PendingPod, candidate: preemption.Candidate) -> tuple[str, ...]:
        """For the pod, and for none of lower priority any more: their keys. The victims are as good as on their way."""
        snapshot = self._snapshot
        found = snapshot.nominations.on(candidate.node)
        overtaken = tuple(key for key, other in found if other.priority < pod.priority)
        for key in overtaken:
            snapshot.nominations.drop(key)
        snapshot.nominations.put(pod.key, pod.shape, pod.priority, candidate.node)
        for key in candidate.keys:
            snapshot.set_terminating(key, terminating=True)
        return overtaken

    def _possible_nodes(self) -> Mask:
        feasible = self._nodes()
        for check in self._checks:
            feasible &= check.mask
        return feasible

    def _nodes(self) -> Mask:
        alive = self._snapshot.alive
        return alive.copy() if self._within is None else alive & self._within

    def _ranks(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        total = np.zeros(self._snapshot.rows, np.int64)
        for score, weight in self._scores:
            total += score.values * weight
        total[~self._feasible] = _IMPOSSIBLE
        return total

    def _rank_of(self, row: int) -> int:
        if not self._feasible[row]:
            return _IMPOSSIBLE
        return sum(int(score.values[row]) * weight for score, weight in self._scores)

    def _explain(self) -> tuple[str, frozenset[str]]:
        remaining = self._nodes()
        nodes = int(np.count_nonzero(remaining))
        if nodes == 0:
            return NO_NODES, frozenset()
        for check in self._checks:
            if isinstance(check, Failure):
                return check.message, frozenset({check.filter})
            if isinstance(check, Refusal):
                return f"0/{nodes} nodes are available: {check.message}.", frozenset({check.filter})
        reasons: collections.Counter[str] = collections.Counter()
        filters = set()
        for check in self._checks:
            failing = np.flatnonzero(remaining & ~check.mask)
            if len(failing):
                reasons.update(check.explain(failing))
                filters.add(check.filter)
                remaining[failing] = False
        return _counted(nodes, reasons), frozenset(filters)


def _reasons(check: Check, row: int) -> list[str]:
    if isinstance(check, Failure | Refusal):
        return [check.message]
    return [*check.explain(np.array([row]))]


def _counted(nodes: int, reasons: "collections.Counter[str] | dict[str, int]") -> str:
    texts = sorted(f"{count} {reason}" for reason, count in reasons.items() if count)
    return f"0/{nodes} nodes are available: {', '.join(texts)}."
