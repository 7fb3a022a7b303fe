"""Scale what an autoscaler targets, to the number of replicas its metrics ask for.

Reads: HorizontalPodAutoscaler, the Scale of its target, the target's Pods, metrics.k8s.io, custom and external metrics.
Writes: the Scale; HorizontalPodAutoscaler status.
Leaves to others: making and ending pods (whoever controls the target), measuring.

`replicas` does the arithmetic, `metrics` knows the kinds of metrics, `behavior` how fast the number may change.
Source: "Horizontal Pod Autoscaling" and upstream's podautoscaler.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.controllers import decision
from steersman.controllers.decision import Decision, Emit, Update
from steersman.controllers.horizontal_pod_autoscaler import behavior, metrics
from steersman.controllers.horizontal_pod_autoscaler.behavior import History, Wish
from steersman.controllers.horizontal_pod_autoscaler.metrics import Failed, Proposal, Values
from steersman.controllers.horizontal_pod_autoscaler.replicas import Target, Tolerance
from steersman.meta import conditions, objects, quantities, times
from steersman.meta.objects import Object

SYNC_SECONDS = 15.0  # upstream's --horizontal-pod-autoscaler-sync-period

_ABLE, _ACTIVE, _LIMITED = "AbleToScale", "ScalingActive", "ScalingLimited"
_GOT = "the HPA controller was able to get the target's current scale"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`scale` of the target (of `kind`), or why there is none. `values` for each metric of the spec. `refusal` (reason and
    message) says that the target's pods cannot be told. `history` is what the autoscaler did before."""

    autoscaler: Object
    kind: Kind | None
    scale: Object | str
    pods: Sequence[Object]
    values: Sequence[Values]
    history: History
    now: datetime.datetime
    refusal: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    decision: Decision
    history: History


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """How many replicas, why, and what is told of it."""

    replicas: int
    reason: str = ""
    told: tuple[Object, ...] = ()  # conditions
    current_metrics: Sequence[Object] = ()


class _Impossible(Exception):
    """No number can be told: events and conditions say why."""

    def __init__(
        self, message: str, events: Sequence[tuple[str, str]], told: Object, current: Sequence[Object]
    ) -> None:
        super().__init__(message)
        self.events = events
        self.told = told
        self.current = current


def evaluate(seen: Seen) -> Outcome:
    """The decision, and the history to remember."""
    if isinstance(seen.scale, str):
        why = f"the HPA controller was unable to get the target's current scale: {seen.scale}"
        status = _status(seen, [conditions.make(_ABLE, "False", "FailedGetScale", why)])
        event = _warning(seen, "FailedGetScale", seen.scale)
        return Outcome(_decision((event, *_told(seen, status)), seen.scale), seen.history)
    current = int((seen.scale.get("spec") or {}).get("replicas") or 0)
    history = seen.history.settled(current)
    if not history.recommendations:
        history = history.recommended(seen.now, current)
    try:
        wanted, history = _wanted(seen, current, history)
    except _Impossible as why:
        status = {**_status(seen, [_got(), why.told]), "currentReplicas": current, "currentMetrics": list(why.current)}
        events = tuple(_warning(seen, *one) for one in why.events)
        return Outcome(_decision((*events, *_told(seen, status)), str(why)), history)
    if wanted.replicas == current:
        status = _with_numbers(_status(seen, [_got(), *wanted.told]), current, current, wanted)
        return Outcome(_decision(_told(seen, status), "the number is right"), history)
    return Outcome(_rescale(seen, current, wanted), history.decided(seen.now, current, wanted.replicas))


def _wanted(seen: Seen, current: int, history: History) -> tuple[Wanted, History]:
    """Raises _Impossible."""
    spec = seen.autoscaler["spec"]
    least, most = spec.get("minReplicas"), int(spec.get("maxReplicas") or 0)
    least = 1 if least is None else int(least)
    if current == 0 and least != 0:
        text = "scaling is disabled since the replica count of the target is zero"
        return Wanted(0, told=(conditions.make(_ACTIVE, "False", "ScalingDisabled", text),)), history
    if current > most:
        return Wanted(most, "Current number of replicas above Spec.MaxReplicas"), history
    if current < least:
        return Wanted(least, "Current number of replicas below Spec.MinReplicas"), history
    best, statuses = _propose(seen, current)
    limited = behavior.limit(Wish(current, best.replicas, least, most, history, seen.now), spec.get("behavior"))
    reason = ""
    if best.replicas > current:
        reason = f"{best.name} above target"
    elif best.replicas < current:
        reason = "All metrics below target"
    told = (
        conditions.make(_ABLE, "True", *limited.stable),
        conditions.make(
            _ACTIVE, "True", "ValidMetricFound",
            f"the HPA was able to successfully calculate a replica count from {best.name}",
        ),
        conditions.make(_LIMITED, "True" if limited.is_limited else "False", *limited.limit),
    )  # fmt: skip
    return Wanted(limited.replicas, reason, told, statuses), history.recommended(seen.now, best.replicas)


def _propose(seen: Seen, current: int) -> tuple[Proposal, list[Object]]:
    """The metric that asks for most. Raises _Impossible."""
    if seen.refusal is not None:
        reason, why = seen.refusal
        told = conditions.make(_ACTIVE, "False", "InvalidSelector" if reason == "SelectorRequired" else reason, why)
        raise _Impossible(why, [(reason, why), ("FailedComputeMetricsReplicas", why)], told, ())
    assert not isinstance(seen.scale, str)
    running = int((seen.scale.get("status") or {}).get("replicas") or 0)
    spec = seen.autoscaler["spec"]
    target = Target(objects.namespace(seen.autoscaler), current, seen.pods, _tolerance(spec), seen.now)
    proposals: list[Proposal] = []
    failures: list[Failed] = []
    statuses: list[Object] = []
    for metric, values in zip(spec.get("metrics") or (), seen.values, strict=True):
        try:
            proposals.append(metrics.propose(metric, values, target, running))
            statuses.append(proposals[-1].status)
        except Failed as failed:
            failures.append(failed)
            statuses.append({"type": ""})
    best = max(proposals, key=lambda one: one.replicas, default=None)
    if best is None or (failures and best.replicas < current):
        raise _all_failed(failures, len(statuses), statuses)
    return best, statuses


def _all_failed(failures: Sequence[Failed], count: int, statuses: Sequence[Object]) -> _Impossible:
    first = failures[0]
    whole = f"invalid metrics ({len(failures)} invalid out of {count}), first error is: {first}"
    text = f"the HPA was unable to compute the replica count: {first}"
    told = conditions.make(_ACTIVE, "False", first.reason, text)
    events = [(one.reason, str(one)) for one in failures]
    current = statuses if any(one["type"] for one in statuses) else ()
    return _Impossible(whole, [*events, ("FailedComputeMetricsReplicas", whole)], told, current)


def _rescale(seen: Seen, current: int, wanted: Wanted) -> Decision:
    assert not isinstance(seen.scale, str)
    assert seen.kind is not None
    size = wanted.replicas
    scale = {**seen.scale, "spec": {**(seen.scale.get("spec") or {}), "replicas": size}}
    text = f"New size: {size}; reason: {wanted.reason}"
    write = Update(
        seen.kind,
        scale,
        "scale",
        done=Emit(seen.autoscaler, "Normal", "SuccessfulRescale", text),
        refused=Emit(seen.autoscaler, "Warning", "FailedRescale", text + "; error: {error}"),
    )
    able = f"the HPA controller was able to update the target scale to {size}"
    done = _status(seen, [_got(), *wanted.told, conditions.make(_ABLE, "True", "SucceededRescale", able)])
    done = _with_numbers(done, current, size, wanted) | {"lastScaleTime": times.format_seconds(seen.now)}
    why = "the HPA controller was unable to update the target scale"
    refused = _status(seen, [_got(), *wanted.told, conditions.make(_ABLE, "False", "FailedUpdateScale", why)])
    refused["currentReplicas"] = current
    return _decision((write, *_told(seen, done, "done"), *_told(seen, refused, "refused")), text)


def _decision(actions: Sequence[decision.Action], why: str) -> Decision:
    return Decision(tuple(actions), why, SYNC_SECONDS)


def _status(seen: Seen, told: Sequence[Object]) -> Object:
    """As it was, with these conditions."""
    before = seen.autoscaler.get("status") or {}
    found = before.get("conditions") or []
    for condition in told:
        found = conditions.set(found, condition, seen.now)
    return {"currentReplicas": 0, "desiredReplicas": 0, **before, "conditions": found}


def _with_numbers(status: Object, current: int, desired: int, wanted: Wanted) -> Object:
    return {
        **status,
        "currentReplicas": current,
        "desiredReplicas": desired,
        "currentMetrics": list(wanted.current_metrics),
    }


def _told(seen: Seen, status: Object, when: decision.When = "always") -> tuple[decision.UpdateStatus, ...]:
    return decision.with_status(kinds.HORIZONTAL_POD_AUTOSCALER, seen.autoscaler, status, when)


def _got() -> Object:
    return conditions.make(_ABLE, "True", "SucceededGetScale", _GOT)


def _warning(seen: Seen, reason: str, message: str) -> Emit:
    return Emit(seen.autoscaler, "Warning", reason, message)


def _tolerance(spec: Object) -> Tolerance:
    rules = spec.get("behavior") or {}
    usual = Tolerance()
    up, down = ((rules.get(which) or {}).get("tolerance") for which in ("scaleUp", "scaleDown"))
    return Tolerance(
        usual.up if up is None else quantities.parse(up).nanos / quantities.NANOS,
        usual.down if down is None else quantities.parse(down).nanos / quantities.NANOS,
    )
