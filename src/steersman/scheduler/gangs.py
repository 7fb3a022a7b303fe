"""Choose nodes for pods and for groups of pods, in order of priority: a pure function of them and the snapshot.

Keeps true: of a gang either as many pods get nodes as it needs, counting those that have one, or none does.
Leaves to others: single pods (decide), who has to go for a group (gang_preemption), when a group is tried (pod_groups, queue).
Source: upstream's pod group scheduling cycle and its GangScheduling and TopologyPlacement plugins; KEP-4671, KEP-5732.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

from steersman.scheduler import decide as single
from steersman.scheduler import gang_preemption
from steersman.scheduler.decide import FAILED, Decision, Evaluation, GroupOutcome, Placement, Rejection
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.pending import Pending, PendingGroup, PendingPod
from steersman.scheduler.snapshot import Snapshot

FILTER = "GangScheduling"
UNSCHEDULABLE = "pod group is unschedulable"
SCHEDULED, REFUSED = "Scheduled", "Unschedulable"


def decide(pending: Iterable[Pending], snapshot: Snapshot) -> Decision:
    placements: list[Placement] = []
    rejections: list[Rejection] = []
    groups: list[GroupOutcome] = []
    ordered = sorted(pending, key=lambda one: -one.priority)
    for _, run in itertools.groupby(ordered, key=lambda one: one.key if isinstance(one, PendingGroup) else ""):
        items = [*run]
        pods = [one for one in items if isinstance(one, PendingPod)]
        decisions = [single.decide(pods, snapshot)] if pods else []
        decisions += [_decide_group(one, snapshot) for one in items if isinstance(one, PendingGroup)]
        for found in decisions:
            placements += found.placements
            rejections += found.rejections
            groups += found.groups
    return Decision(placements, rejections, groups)


@dataclasses.dataclass(slots=True)
class Attempt:
    """One try. `message` is empty when enough pods found nodes; `refused` says of the others why not."""

    placements: list[Placement]
    refused: dict[str, tuple[str, frozenset[str]]]
    message: str = ""


def _decide_group(pending: PendingGroup, snapshot: Snapshot) -> Decision:
    wrong = _mismatch(pending, snapshot)
    if wrong:
        return _failed(pending, wrong)
    nominated = {pod.key: snapshot.nominations.node_of(pod.key) for pod in pending.pods}
    attempt = attempt_anywhere(pending, snapshot)
    if not attempt.message:
        rest = [pod for pod in pending.pods if pod.key in attempt.refused]
        rejections = [Rejection(pod, *attempt.refused[pod.key]) for pod in rest]
        filters = _filters(attempt)
        return Decision(attempt.placements, rejections, [GroupOutcome(pending, True, SCHEDULED, "", filters)])
    for pod in pending.pods:
        snapshot.nominations.put(pod.key, pod.shape, pod.priority, nominated[pod.key])
    found = gang_preemption.decide(pending, snapshot, attempt_anywhere)
    return _refused(pending, attempt, found, snapshot)


def _refused(pending: PendingGroup, attempt: Attempt, found: gang_preemption.Outcome, snapshot: Snapshot) -> Decision:
    """Nobody gets a node. Where others have to go, the nodes that the group will then have are kept for it."""
    message = f"{attempt.message}, pod group preemption: {found.message}"
    victims = found.victims
    rejections = []
    for pod in pending.pods:
        text, filters = attempt.refused.get(pod.key, (message, frozenset({FILTER})))
        node = found.nominated.get(pod.key, "")
        snapshot.nominations.put(pod.key, pod.shape, pod.priority, node)
        rejections.append(Rejection(pod, text, filters, node, victims))
        victims = ()  # told once
    for key in found.victims:
        snapshot.set_terminating(key, terminating=True)
    return Decision((), rejections, [GroupOutcome(pending, False, REFUSED, message, _filters(attempt))])


def _failed(pending: PendingGroup, why: str) -> Decision:
    rejections = [Rejection(pod, why, frozenset({FILTER}), reason=FAILED) for pod in pending.pods]
    return Decision((), rejections, [GroupOutcome(pending, False, FAILED, why, frozenset({FILTER}))])


def _filters(attempt: Attempt) -> frozenset[str]:
    return frozenset({FILTER}).union(*(filters for _, filters in attempt.refused.values()))


def _mismatch(pending: PendingGroup, snapshot: Snapshot) -> str:
    """A group is placed, and makes room, as one: its pods must be of one mind with it."""
    group = pending.group
    placed = (snapshot.pod(key) for key in snapshot.members_of(group.key))
    for priority in (*(pod.priority for pod in pending.pods), *(pod.priority for pod in placed if pod is not None)):
        if priority != group.priority:
            text = "all pods in a single pod group should have the same priority as the pod group's priority"
            return f"{text}, got {priority} and {group.priority}"
    for pod in pending.pods:
        if pod.preempts != group.preempts:
            text = "all pods in a single pod group should have the same preemption policy as the pod group's preemption policy"
            return f"{text}, got {_policy(pod.preempts)} and {_policy(group.preempts)}"
    return ""


def _policy(preempts: bool) -> str:
    return "PreemptLowerPriority" if preempts else "Never"


def attempt_anywhere(pending: PendingGroup, snapshot: Snapshot) -> Attempt:
    """With a topology key within one of its domains: that where most pods find nodes."""
    if not pending.group.topology_key:
        return _attempt(pending, snapshot, None)
    first: Attempt | None = None
    best: tuple[int, Mask] | None = None
    domains = list(_domains(pending, snapshot))
    for within in domains:
        found = _attempt(pending, snapshot, within)
        first = first or found
        if not found.message:
            if best is None or len(found.placements) > best[0]:
                best = len(found.placements), within
            _undo(found.placements, snapshot)
    if best is not None:
        return _attempt(pending, snapshot, best[1])
    status = f", first placement status: {first.message}" if first is not None else ""
    count = len(domains)
    return Attempt([], {}, f"0/{count} placements are available{status}")


def _domains(pending: PendingGroup, snapshot: Snapshot) -> Iterator[Mask]:
    """One per value of the label; where pods of the group are already, only theirs."""
    ids = snapshot.labels.of(pending.group.topology_key)
    placed = (snapshot.pod(key) for key in snapshot.members_of(pending.group.key))
    rows = {snapshot.row_of(pod.node) for pod in placed if pod is not None}
    taken = {int(ids[row]) for row in rows if row is not None}
    for value in sorted({int(one) for one in ids[snapshot.alive] if one >= 0}):
        if not taken or value in taken:
            yield snapshot.alive & (ids == value)


def _attempt(pending: PendingGroup, snapshot: Snapshot, within: Mask | None) -> Attempt:
    """Pod after pod, as long as enough can still be placed; what was placed is taken back if it is not enough."""
    needed, scheduled = pending.group.needed, len(snapshot.members_of(pending.group.key))
    found, left = Attempt([], {}), len(pending.pods)
    for shape_pods in _batches(pending.pods, snapshot):
        if left + scheduled < needed:
            break
        with snapshot.nominations.as_seen_by(shape_pods[0].key, shape_pods[0].priority):
            evaluation = Evaluation(shape_pods[0].shape, snapshot, within)
            for pod in shape_pods:
                row = evaluation.best(snapshot.nominations.node_of(pod.key))
                left -= 1
                if row is None:
                    found.refused[pod.key] = evaluation.explained()
                    if left + scheduled < needed:
                        break
                    continue
                found.placements.append(single.place(pod, row, snapshot))
                evaluation.placed(row)
                scheduled += 1
    if scheduled < needed:
        counted = f"minCount ({needed}) cannot be satisfied: {scheduled} scheduled, {left} remaining"
        found.message = f"{UNSCHEDULABLE}, {counted}"
    elif not found.placements:
        found.message = UNSCHEDULABLE
    if found.message:
        _undo(found.placements, snapshot)
        found.placements = []
    return found


def _undo(placements: Sequence[Placement], snapshot: Snapshot) -> None:
    for placement in reversed(placements):
        single.take_back(placement, snapshot)


def _batches(pods: Sequence[PendingPod], snapshot: Snapshot) -> Iterator[list[PendingPod]]:
    """Neighbours of one shape; whoever has been promised room alone, as only it may use that."""
    run: list[PendingPod] = []
    for pod in pods:
        is_promised = bool(snapshot.nominations.node_of(pod.key))
        if run and (is_promised or run[-1].shape is not pod.shape or snapshot.nominations.node_of(run[-1].key)):
            yield run
            run = []
        run.append(pod)
    if run:
        yield run
