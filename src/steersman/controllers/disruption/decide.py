"""Keep the status of PodDisruptionBudgets: how many pods are healthy, how many must be, how many may go.

Reads: PodDisruptionBudget, its Pods, the scale of what controls them.  Writes: PodDisruptionBudget status; the condition
DisruptionTarget of pods that were to be disrupted and were not.
Leaves to others: granting evictions (the API server takes each off `disruptionsAllowed` and writes the pod into `disruptedPods`).

Source: "Specifying a Disruption Budget for your Application" and upstream's disruption controller.
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from steersman.api import disruptions, kinds
from steersman.controllers import decision, pods
from steersman.controllers.decision import Action, Decision, Emit, UpdateStatus
from steersman.meta import amounts, conditions, objects, owners, selectors, times
from steersman.meta.objects import Object

STALE_SECONDS = 120  # upstream's stalePodDisruptionTimeout: whoever meant to disrupt the pod has given up by then
TARGET = "DisruptionTarget"


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """What controls a pod in the end (a Deployment, not its ReplicaSet), and how many pods it wants."""

    uid: str
    replicas: int


class Unknown(Exception):
    """The number of pods that should be there cannot be told."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`pods` are those selected. `scales` by uid of the pods' controllers: None where it is gone, a text where it has no scale.
    `rivals` are pods that other budgets select too, with the names of all of them."""

    budget: Object
    pods: Sequence[Object]
    scales: Mapping[str, Scale | str | None]
    now: datetime.datetime
    rivals: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class SeenTarget:
    """A pod that was to be disrupted."""

    pod: Object
    now: datetime.datetime


def decide(seen: Seen | SeenTarget) -> Decision:
    return _target(seen) if isinstance(seen, SeenTarget) else _budget(seen)


def _budget(seen: Seen) -> Decision:
    before = seen.budget.get("status") or {}
    try:
        expected, desired, unmanaged = _expected(seen)
    except Unknown as why:
        text = f"Failed to calculate the number of expected pods: {why}"
        told = _told(seen, disruptions.failed(before, str(why), seen.now))
        events = [_warning(seen, "CalculateExpectedPodCountFailed", text)] if told else []
        return Decision((*events, *told), text)
    disrupted, late, again = _disrupted(seen)
    healthy = sum(pods.is_ready(pod) and not _is_going(pod, disrupted) for pod in seen.pods)
    status = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "disruptionsAllowed": max(0, healthy - desired) if expected > 0 else 0,
        "observedGeneration": seen.budget["metadata"].get("generation", 0),
        "conditions": before.get("conditions") or [],
    }
    if disrupted:
        status["disruptedPods"] = disrupted
    told = _told(seen, disruptions.with_condition(status, seen.now))
    events = [*_events(seen, unmanaged), *(_not_deleted(seen, pod) for pod in late)] if told else []
    return Decision((*events, *told), f"{healthy} of {expected} healthy, {desired} needed", again)


def _expected(seen: Seen) -> tuple[int, int, bool]:
    """How many pods should be there, how many of them healthy, and whether some have no controller. Raises Unknown."""
    spec = seen.budget.get("spec") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if most is not None:
        expected, unmanaged = _scale(seen)
        return expected, max(0, expected - amounts.scaled(most, expected, up=True)), unmanaged
    if isinstance(least, str):
        expected, unmanaged = _scale(seen)
        return expected, amounts.scaled(least, expected, up=True), unmanaged
    return (0, 0, False) if least is None else (len(seen.pods), int(least), False)


def _scale(seen: Seen) -> tuple[int, bool]:
    """The sum over all that controls the pods."""
    replicas: dict[str, int] = {}
    unmanaged = False
    for pod in seen.pods:
        uid = owners.controller_uid(pod)
        if not uid:
            unmanaged = True
            continue
        scale = seen.scales.get(uid)
        if isinstance(scale, str):
            raise Unknown(scale)
        if scale is None:
            raise Unknown(f'found no controllers for pod "{objects.name(pod)}"')
        replicas[scale.uid] = scale.replicas
    return sum(replicas.values()), unmanaged


def _disrupted(seen: Seen) -> tuple[dict[str, str], list[Object], float | None]:
    """Pods that are about to be deleted, those that should have been by now, and when to look again."""
    listed = (seen.budget.get("status") or {}).get("disruptedPods") or {}
    kept: dict[str, str] = {}
    late: list[Object] = []
    again: float | None = None
    for pod in seen.pods:
        since = listed.get(objects.name(pod))
        if since is None or pods.is_terminating(pod):
            continue
        left = disruptions.DELETION_SECONDS - times.seconds_since(since, seen.now)
        if left < 0:
            late.append(pod)
        else:
            kept[objects.name(pod)] = since
            again = decision.earliest(again, left + 1)
    return kept, late, again


def _is_going(pod: Object, disrupted: Mapping[str, str]) -> bool:
    return pods.is_terminating(pod) or objects.name(pod) in disrupted


def _told(seen: Seen, status: Object) -> tuple[UpdateStatus, ...]:
    return decision.with_status(kinds.POD_DISRUPTION_BUDGET, seen.budget, status)


def _events(seen: Seen, unmanaged: bool) -> list[Emit]:
    found = [] if seen.pods else [Emit(seen.budget, "Normal", "NoPods", "No matching pods found")]
    if unmanaged:
        selector = selectors.as_go((seen.budget.get("spec") or {}).get("selector"))
        text = (
            f"Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. "
            "As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. "
            'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
        )
        found.append(_warning(seen, "UnmanagedPods", text))
    for pod in seen.pods:
        chosen = (seen.rivals.get(objects.name(pod)) or [""])[0]
        if chosen and chosen == objects.name(seen.budget):
            place = f'"{objects.namespace(pod)}"/"{objects.name(pod)}"'
            text = f'Pod {place} matches multiple PodDisruptionBudgets.  Chose "{chosen}" arbitrarily.'
            found.append(Emit(pod, "Warning", "MultiplePodDisruptionBudgets", text))
    return found


def _warning(seen: Seen, reason: str, text: str) -> Emit:
    return Emit(seen.budget, "Warning", reason, text)


def _not_deleted(seen: Seen, pod: Object) -> Emit:
    text = f"Pod was expected by PDB {objects.key(seen.budget)} to be deleted but it wasn't"
    return Emit(pod, "Warning", "NotDeleted", text)


def _target(seen: SeenTarget) -> Decision:
    """A pod that is still there so long after must not look as if it was about to go."""
    since = stale_since(seen.pod)
    if since is None:
        return Decision(why="not to be disrupted")
    left = STALE_SECONDS - times.seconds_since(since, seen.now)
    if left > 0:
        return Decision(why="is to be disrupted", again_after_seconds=left + 1)
    status = seen.pod["status"]
    told = conditions.set(status["conditions"], conditions.make(TARGET, "False"), seen.now)
    actions: tuple[Action, ...] = (UpdateStatus(kinds.POD, {**seen.pod, "status": {**status, "conditions": told}}),)
    return Decision(actions, "was to be disrupted, and was not")


def stale_since(pod: Object) -> str | None:
    """Since when it is to be disrupted; None for what is ending anyway, and where the kubelet said so."""
    found = conditions.get(pod, TARGET)
    if found is None or found.get("status") != "True" or found.get("reason") == "TerminationByKubelet":
        return None
    if pods.is_terminating(pod) or pods.is_finished(pod):
        return None
    return str(found.get("lastTransitionTime") or "") or None
