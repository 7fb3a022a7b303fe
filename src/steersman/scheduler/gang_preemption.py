"""Which pods have to go so that a whole group of higher priority gets nodes: a pure function of the group and the snapshot.

Keeps true: nobody of the same or higher priority goes; a group with disruptionMode `all` goes whole or stays; budgets are kept
where that is possible. Changes nothing that lasts: pods are taken out and put back.
All that are less important are taken out, the group is placed, and then everybody is put back who still fits beside it, the
most important first. Source: upstream's pod group preemption, KEP-5710.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from steersman.scheduler import decide as single
from steersman.scheduler import preemption
from steersman.scheduler.decide import Evaluation, Placement
from steersman.scheduler.pending import PendingGroup
from steersman.scheduler.preemption import Unit
from steersman.scheduler.snapshot import Snapshot

NO_VICTIMS = "No preemption victims found for incoming preemptor"
WAITING = "not eligible due to a terminating pod on the nominated node."
WITH_TOPOLOGY = "not supported with topology constraints"


class Attempt(Protocol):
    @property
    def placements(self) -> Sequence[Placement]: ...
    @property
    def message(self) -> str: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """`nominated`: pod → node, once the pods `victims` are gone; without victims `message` says why not."""

    message: str
    victims: tuple[str, ...] = ()
    nominated: Mapping[str, str] = dataclasses.field(default_factory=dict)


def decide(pending: PendingGroup, snapshot: Snapshot, attempt: Callable[[PendingGroup, Snapshot], Attempt]) -> Outcome:
    group = pending.group
    if group.topology_key:
        return Outcome(WITH_TOPOLOGY)
    promised = {pod.key: snapshot.nominations.node_of(pod.key) for pod in pending.pods}
    if not group.preempts:
        return Outcome(preemption.NEVER, (), promised)
    if _is_waiting(pending, snapshot):
        return Outcome(WAITING, (), promised)
    lower = preemption.units_below(snapshot, group.priority, [*snapshot.pod_keys()])
    if not lower:
        return Outcome(NO_VICTIMS)
    for unit in lower:
        preemption.take_out(unit, snapshot)
    out = {unit.key for unit in lower}
    placements: Sequence[Placement] = ()
    try:
        found = attempt(pending, snapshot)
        placements = found.placements
        if found.message:
            return Outcome(found.message)
        _undo(placements, snapshot)
        violating, others = preemption.by_budgets(sorted(lower, key=preemption.importance), snapshot.budgets.values())
        for unit in (*violating, *others):
            if _fits_beside(unit, placements, snapshot):
                out.discard(unit.key)
    finally:
        for unit in lower:
            if unit.key in out:
                preemption.put_back(unit, snapshot)
    gone = sorted((unit for unit in lower if unit.key in out), key=preemption.importance)
    victims = tuple(key for unit in gone for key, pod in unit.pods if not pod.terminating)
    text = f"found a placement for podgroup, preempting {len(victims)} victims"
    return Outcome(text, victims, {one.pod.key: one.node for one in placements})


def _is_waiting(pending: PendingGroup, snapshot: Snapshot) -> bool:
    """Room was made already, and who had to go is not gone yet."""
    for node in {snapshot.nominations.node_of(pod.key) for pod in pending.pods} - {""}:
        pods = (snapshot.pod(key) for key in snapshot.pods_of(node))
        if any(pod is not None and pod.terminating and pod.priority < pending.priority for pod in pods):
            return True
    return False


def _fits_beside(unit: Unit, placements: Sequence[Placement], snapshot: Snapshot) -> bool:
    """The unit is put back, and stays so if every pod of the group still fits where it was placed."""
    preemption.put_back(unit, snapshot)
    if not _matters(unit, placements):
        return True
    done: list[Placement] = []
    try:
        for one in placements:
            with snapshot.nominations.as_seen_by(one.pod.key, one.pod.priority):
                row = snapshot.row_of(one.node)
                if row is None or one.node not in Evaluation(one.pod.shape, snapshot).possible():
                    preemption.take_out(unit, snapshot)
                    return False
                done.append(single.place(one.pod, row, snapshot))
    finally:
        _undo(done, snapshot)
    return True


def _matters(unit: Unit, placements: Sequence[Placement]) -> bool:
    """Pods elsewhere only matter to who counts pods of other nodes, or is kept away by them."""
    nodes = {one.node for one in placements}
    shapes = {one.pod.shape for one in placements}
    asks = any(shape.spread or shape.group.terms.near or shape.group.terms.away for shape in shapes)
    return asks or any(pod.node in nodes or pod.shape.group.terms.away for _, pod in unit.pods)


def _undo(placements: Sequence[Placement], snapshot: Snapshot) -> None:
    for placement in reversed(placements):
        single.take_back(placement, snapshot)
