"""Run pods until enough of them have succeeded, and count each exactly once.

Reads: Job, its pods, orphans it may adopt.  Writes: pods (create, delete, ownerReferences, finalizers), Job status; deletes
the Job when its time to live is over.  Leaves to others: its pods when it is deleted (garbage collector).

A Job ends in two steps, as upstream's: first `SuccessCriteriaMet` or `FailureTarget`, which is never taken back; then, when
all pods have ended and are counted, `Complete` or `Failed`.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds
from steersman.controllers import claims, decision, pods
from steersman.controllers.decision import Action, Decision, Delete, Emit, Failure, Patch
from steersman.controllers.job import new_pods, policies, tracking
from steersman.controllers.job.view import (
    FINALIZER,
    View,
    all_failures_of_index,
    is_finished,
    is_managed_by_another,
    is_tracked,
)
from steersman.meta import conditions, indexes, objects, owners, selectors, times
from steersman.meta.objects import Object

_OMITTED_WHEN_ZERO = frozenset(("active", "succeeded", "failed", "completedIndexes"))

BURST_MAX = 500  # upstream's MaxPodCreateDeletePerSync


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`failures`: when pods failed since the last success, also pods that are gone."""

    job: Object
    pods: Sequence[Object]
    now: datetime.datetime
    orphans: Sequence[Object] = ()
    may_adopt: bool = False
    failures: Sequence[datetime.datetime] = ()
    failure: Failure | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class SeenOrphan:
    """A pod with our finalizer whose Job is no more."""

    pod: Object


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """What to do about the number of pods; `created` of the actions are creates."""

    actions: tuple[Action, ...] = ()
    created: int = 0
    why: str = ""
    again_after_seconds: float | None = None


def decide(seen: Seen | SeenOrphan) -> Decision:
    if isinstance(seen, SeenOrphan):
        return Decision(_released([seen.pod]), "its Job is gone")
    job = seen.job
    if is_finished(job):
        return _after_the_end(seen)
    if is_managed_by_another(job):
        return Decision(why="another controller looks after it")
    selector = selectors.from_object(job["spec"].get("selector"))
    claimed = claims.classify(job, selector, seen.pods, seen.orphans, seen.may_adopt)
    if ownership := _ownership(job, claimed):
        return Decision(ownership, f"{len(claimed.adopted)} pods to adopt, {len(claimed.released)} to release")
    kept, dropped = _sorted_out(job, claimed.kept)
    found = _decide(seen, View(job, kept, seen.now))
    return dataclasses.replace(found, actions=(*(_delete(job, pod) for pod in dropped), *found.actions))


def _sorted_out(job: Object, claimed: Sequence[Object]) -> tuple[list[Object], list[Object]]:
    """Pods, and those whose removal was cut off between its two writes: without a finalizer they cannot be counted any more.
    The pods of a Job that is being deleted lose it, too, and may be left to live on."""
    if objects.is_terminating(job):
        return list(claimed), []
    dropped = [pod for pod in claimed if pods.is_active(pod) and not is_tracked(pod)]
    return [pod for pod in claimed if pod not in dropped], dropped


def _decide(seen: Seen, view: View) -> Decision:
    ending, reason, message = _ending(view, seen.now)
    plan = _plan(seen, view) if not ending and not objects.is_terminating(view.job) else _Plan()
    if not ending and _is_complete(view, plan):
        ending, reason = "SuccessCriteriaMet", "CompletionsReached"
        message = "Reached expected number of succeeded pods"
    tally = tracking.count(view, ending=ending)
    told = list(view.status.get("conditions") or ())
    events: list[Emit] = []
    status = {**view.status, **tally.counts, **_present(view)}
    if ending:
        told = _set(told, ending, reason, message, seen.now)
        plan = _Plan(tuple(_delete(view.job, pod) for pod in view.active), why=f"{ending}: {message}")
        if tally.is_settled and not view.active and not view.terminating:
            told, status, events = _end(view, told, status, ending, reason, message, seen.now)
    elif not objects.is_terminating(view.job):
        told, status, events = _suspension(view, told, status, seen.now)
    if told:
        status["conditions"] = told
    # As upstream's encoder, which leaves these out where they are zero.
    status = {name: value for name, value in status.items() if value or name not in _OMITTED_WHEN_ZERO}
    again = decision.earliest(plan.again_after_seconds, None if ending else _seconds_to_deadline(view, seen.now))
    return Decision((*_in_order(view, status, tally, plan), *events), plan.why or "counting", again)


def _in_order(view: View, status: Object, tally: tracking.Tally, plan: _Plan) -> tuple[Action, ...]:
    """Pods are released only after the status that lists them is written; and a refused create (a quota) must not hold up
    the counting. Where nothing is released, the status follows the creates, so that it can tell of them at once."""
    if tally.to_release or not plan.created:
        return (*decision.with_status(kinds.JOB, view.job, status), *_released(tally.to_release), *plan.actions)
    with_new = {**status, "active": len(view.active) + plan.created}
    return (
        *plan.actions,
        *decision.with_status(kinds.JOB, view.job, with_new, "done"),
        *decision.with_status(kinds.JOB, view.job, status, "refused"),
    )


def _present(view: View) -> Object:
    found: Object = {
        "active": len(view.active),
        "ready": sum(pods.is_ready(pod) for pod in view.active),
        "terminating": len(view.terminating),
    }
    if not view.status.get("startTime") and not view.is_suspended:
        found["startTime"] = times.format_seconds(view.now)
    return found


# How it ends.


def _ending(view: View, now: datetime.datetime) -> tuple[str, str, str]:
    """(SuccessCriteriaMet or FailureTarget, reason, message), or empty texts."""
    for name in ("SuccessCriteriaMet", "FailureTarget"):
        known = conditions.get(view.job, name)
        if known is not None and known.get("status") == "True":
            return name, known.get("reason", ""), known.get("message", "")
    if failure := _failure(view, now):
        return "FailureTarget", *failure
    if view.is_indexed:
        rule = policies.met_success_rule(view.spec.get("successPolicy"), view.completions or 0, view.succeeded_indexes)
        if rule:
            return "SuccessCriteriaMet", "SuccessPolicy", rule
    return "", "", ""


def _failure(view: View, now: datetime.datetime) -> tuple[str, str] | None:
    policy = view.spec.get("podFailurePolicy")
    if policy is not None:
        for pod in view.pods:
            if view.is_failed(pod) and (judged := policies.judge(policy, pod)).message:
                return "PodFailurePolicy", judged.message
    if view.failed > view.spec["backoffLimit"] or _restarted_too_often(view):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    left = _seconds_to_deadline(view, now)
    if left is not None and left <= 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    if view.limit_per_index is None or not view.is_indexed:
        return None
    failed, failed_max = indexes.count(view.failed_indexes), view.spec.get("maxFailedIndexes")
    if failed_max is not None and failed > failed_max:
        return "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
    if failed and failed + view.succeeded >= (view.completions or 0):
        return "FailedIndexes", "Job has failed indexes"
    return None


def _restarted_too_often(view: View) -> bool:
    """With restartPolicy OnFailure a pod fails by restarting."""
    if ((view.spec.get("template") or {}).get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    restarts = 0
    for pod in view.pods:
        if pods.phase(pod) in ("Running", "Pending"):
            status = pod.get("status") or {}
            listed = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
            restarts += sum(int(one.get("restartCount") or 0) for one in listed)
    limit = view.spec["backoffLimit"]
    return restarts > 0 if limit == 0 else restarts >= limit


def _seconds_to_deadline(view: View, now: datetime.datetime) -> float | None:
    deadline, started = view.spec.get("activeDeadlineSeconds"), view.status.get("startTime")
    if deadline is None or view.is_suspended:
        return None
    return float(deadline) - (times.seconds_since(started, now) if started else 0.0)


def _is_complete(view: View, plan: _Plan) -> bool:
    if view.active or plan.created or objects.is_terminating(view.job):
        return False
    if view.completions is None:
        return view.succeeded > 0
    return view.succeeded >= view.completions


def _end(
    view: View, told: list[Object], status: Object, ending: str, reason: str, message: str, now: datetime.datetime
) -> tuple[list[Object], Object, list[Emit]]:
    if ending == "FailureTarget":
        return _set(told, "Failed", reason, message, now), status, [Emit(view.job, "Warning", reason, message)]
    # Not before it began, which is refused: whoever started it may have had a clock that was ahead.
    status = {**status, "completionTime": max(times.format_seconds(now), status.get("startTime") or "")}
    events = [Emit(view.job, "Normal", "Completed", "Job completed")]
    if view.completions is not None and status.get("succeeded", 0) > view.completions:
        text = "Too many succeeded pods running after completion count reached"
        events.insert(0, Emit(view.job, "Warning", "TooManySucceededPods", text))
    return _set(told, "Complete", reason, message, now), status, events


def _after_the_end(seen: Seen) -> Decision:
    """No finalizer may be left, and the Job is deleted when its time is over."""
    left = [pod for pod in seen.pods if is_tracked(pod)]
    if left and not is_managed_by_another(seen.job):
        return Decision(_released(left), "it has ended")
    ttl = seen.job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None or objects.is_terminating(seen.job):
        return Decision(why="it has ended")
    ends = (conditions.get(seen.job, name) for name in ("Complete", "Failed"))
    ended = max(one["lastTransitionTime"] for one in ends if one is not None and one.get("status") == "True")
    remaining = float(ttl) - times.seconds_since(ended, seen.now)
    if remaining > 0:
        return Decision(why="it has ended", again_after_seconds=remaining)
    version = objects.resource_version(seen.job)
    gone = decision.delete(kinds.JOB, seen.job, resource_version=version, propagation="Foreground")
    return Decision((gone,), "its time to live is over")


def _suspension(
    view: View, told: list[Object], status: Object, now: datetime.datetime
) -> tuple[list[Object], Object, list[Emit]]:
    known = conditions.find(told, "Suspended")
    was = known is not None and known.get("status") == "True"
    if view.is_suspended == was:
        return told, status, []
    if view.is_suspended:
        event = Emit(view.job, "Normal", "Suspended", "Job suspended")
        return _set(told, "Suspended", "JobSuspended", "Job suspended", now), status, [event]
    event = Emit(view.job, "Normal", "Resumed", "Job resumed")
    # The deadline is about the time a Job was active without a break.
    status = {**status, "startTime": times.format_seconds(now)}
    return _set(told, "Suspended", "JobResumed", "Job resumed", now, "False"), status, [event]


# How many pods.


def _plan(seen: Seen, view: View) -> _Plan:
    if view.is_suspended:
        doomed = new_pods.surplus(view, len(view.active))
        return _Plan(_removed(view, doomed), why="suspended")
    active, wanted = len(view.active), _wanted(view)
    doomed = new_pods.surplus(view, max(0, active - wanted))[:BURST_MAX]
    if doomed:
        return _Plan(_removed(view, doomed), why=f"{len(doomed)} pods too many")
    missing = min(wanted - active - (len(view.terminating) if view.replaces_failed_only else 0), BURST_MAX)
    if missing <= 0:
        return _Plan(why="pods match")
    if not view.is_indexed:
        wait = _pause(seen, view)
        if wait:
            return _Plan(why=f"{missing} pods missing, after a pause", again_after_seconds=wait)
        return _Plan(tuple([new_pods.create(view, None)] * missing), missing, f"{missing} pods missing")
    return _missing_indexes(seen, view, missing)


def _wanted(view: View) -> int:
    parallelism = int(view.spec["parallelism"])
    if view.completions is None:
        return len(view.active) if view.succeeded else parallelism
    return max(0, min(parallelism, view.completions - view.succeeded))


def _pause(seen: Seen, view: View) -> float:
    return policies.seconds_to_wait(len(seen.failures), max(seen.failures, default=None), seen.now)


def _missing_indexes(seen: Seen, view: View, missing: int) -> _Plan:
    chosen = new_pods.pending_indexes(view, missing)
    wait: float | None = None
    if view.limit_per_index is None:
        if chosen and (pause := _pause(seen, view)):
            chosen, wait = [], pause
    else:
        waits = {index: _pause_of_index(view, index, seen.now) for index in chosen}
        chosen = [index for index in chosen if not waits[index]]
        wait = min((seconds for seconds in waits.values() if seconds), default=None)
    creates = tuple(new_pods.create(view, index) for index in chosen)
    return _Plan(creates, len(creates), f"{missing} pods missing", wait)


def _pause_of_index(view: View, index: int, now: datetime.datetime) -> float:
    last = view.waiting_of_index.get(index)
    if last is None:
        return 0.0
    return policies.seconds_to_wait(all_failures_of_index(last) + 1, policies.finished_at(last), now)


# Writes.


def _removed(view: View, doomed: Sequence[Object]) -> tuple[Action, ...]:
    """Pods that are too many count for nothing, so they lose their finalizer first."""
    tracked = [pod for pod in doomed if is_tracked(pod)]
    return (*_released(tracked), *(_delete(view.job, pod) for pod in doomed))


def _released(tracked: Sequence[Object]) -> tuple[Patch, ...]:
    return tuple(decision.patch(kinds.POD, pod, {"metadata": {"finalizers": _others(pod) or None}}) for pod in tracked)


def _others(pod: Object) -> list[str]:
    return [name for name in pod["metadata"].get("finalizers") or () if name != FINALIZER]


def _delete(job: Object, pod: Object) -> Delete:
    return decision.delete(
        kinds.POD,
        pod,
        done=Emit(job, "Normal", "SuccessfulDelete", "Deleted pod: {name}"),
        refused=Emit(job, "Warning", "FailedDelete", "Error deleting: {error}"),
    )


def _ownership(job: Object, claimed: claims.Claims) -> tuple[Patch, ...]:
    """An adopted pod is tracked from then on; one that is let go is not."""
    found = []
    for pod in claimed.adopted:
        meta = {"ownerReferences": [*owners.of(pod), owners.make(job)], "finalizers": [*_others(pod), FINALIZER]}
        found.append(decision.patch(kinds.POD, pod, {"metadata": meta}))
    for pod in claimed.released:
        left = [reference for reference in owners.of(pod) if reference.get("uid") != objects.uid(job)]
        meta = {"ownerReferences": left or None, "finalizers": _others(pod) or None}
        found.append(decision.patch(kinds.POD, pod, {"metadata": meta}))
    return tuple(found)


def _set(
    told: list[Object], name: str, reason: str, message: str, now: datetime.datetime, status: str = "True"
) -> list[Object]:
    """As it is, if it says the same already."""
    known = conditions.find(told, name)
    new = conditions.make(name, status, reason, message)
    if known is not None and all(
        known.get(field, "") == new.get(field, "") for field in ("status", "reason", "message")
    ):
        return told
    return conditions.set(told, {**new, "lastProbeTime": times.format_seconds(now)}, now)
