"""Start Jobs when their time comes, and clear old ones away.

Reads: CronJob, its Jobs.  Writes: Jobs (create, delete), CronJob status.  Leaves to others: running the Jobs.

A Job's name holds the minute it was due in, so that the same start is never made twice, whoever is killed in between.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.cronjob import missed
from steersman.controllers.decision import Action, Create, Decision, Delete, Emit, Failure
from steersman.meta import conditions, objects, owners, schedules, times
from steersman.meta.objects import Object

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"

# Woken a little late rather than a little early: upstream's nextScheduleDelta.
_LATE_SECONDS = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    cron_job: Object
    jobs: Sequence[Object]
    now: datetime.datetime
    failure: Failure | None = None


@dataclasses.dataclass(slots=True)
class _Plan:
    """`started_at` is told of when the Job is made. `replaced`: uids of Jobs that go for it, and so are not missed later."""

    actions: list[Action] = dataclasses.field(default_factory=list)
    started_at: datetime.datetime | None = None
    why: str = ""
    again_after_seconds: float | None = None
    replaced: set[str] = dataclasses.field(default_factory=set)


def decide(seen: Seen) -> Decision:
    of, spec = seen.cron_job, seen.cron_job["spec"]
    doomed = _old(seen.jobs, spec)
    status, events = _status(seen, doomed)
    actions: list[Action] = [*(_delete(of, job) for job in doomed), *events]
    plan = _Plan(why="being deleted")
    if not objects.is_terminating(of):
        plan = _Plan(why="suspended") if spec.get("suspend") else _start(seen)
    actions += plan.actions
    if plan.replaced:
        left = [one for one in status.pop("active", ()) if one.get("uid") not in plan.replaced]
        status |= {"active": left} if left else {}
    if plan.started_at is not None:
        started = {**status, "lastScheduleTime": times.format_seconds(plan.started_at)}
        actions += decision.with_status(kinds.CRON_JOB, of, started, "done")
        actions += decision.with_status(kinds.CRON_JOB, of, status, "refused")
    else:
        actions += decision.with_status(kinds.CRON_JOB, of, status)
    return Decision(tuple(actions), plan.why, plan.again_after_seconds)


def job_name(cron_job: Object, at: datetime.datetime) -> str:
    return f"{objects.name(cron_job)}-{int(at.timestamp()) // 60}"


# What became of the Jobs.


def _status(seen: Seen, doomed: Sequence[Object]) -> tuple[Object, list[Emit]]:
    of, old = seen.cron_job, seen.cron_job.get("status") or {}
    known = {reference.get("uid"): reference for reference in old.get("active") or ()}
    events: list[Emit] = []
    active: list[Object] = []
    last_success = str(old.get("lastSuccessfulTime") or "")
    for job in sorted(seen.jobs, key=objects.name):
        ended, uid, name = _ended(job), objects.uid(job), objects.name(job)
        if not ended:
            if uid in known or SCHEDULED_AT in objects.annotations(job):
                active.append(known.get(uid) or _reference(job))
            else:
                text = f"Saw a job that the controller did not create or forgot: {name}"
                events.append(Emit(of, "Warning", "UnexpectedJob", text))
        elif uid in known:
            events.append(Emit(of, "Normal", "SawCompletedJob", f"Saw completed job: {name}, condition: {ended}"))
        if ended == "Complete":
            last_success = max(last_success, str((job.get("status") or {}).get("completionTime") or ""))
    there = {objects.uid(job) for job in seen.jobs}
    for uid, reference in known.items():
        if uid not in there:
            text = f"Active job went missing: {reference.get('name', '')}"
            events.append(Emit(of, "Normal", "MissingJob", text))
    status = {key: value for key, value in old.items() if key != "active"}
    if active:
        status["active"] = active
    if last_success:
        status["lastSuccessfulTime"] = last_success
    return status, events


def _ended(job: Object) -> str:
    """`Complete`, `Failed` or empty."""
    return next((name for name in ("Complete", "Failed") if conditions.is_true(job, name)), "")


def _reference(job: Object) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": objects.name(job),
        "namespace": objects.namespace(job),
        "uid": objects.uid(job),
        "resourceVersion": objects.resource_version(job),
    }


def _old(jobs: Sequence[Object], spec: Object) -> list[Object]:
    """Ended Jobs beyond the limits, the oldest of each kind."""
    found: list[Object] = []
    for name, field in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
        limit = spec.get(field)
        if limit is None:
            continue
        ended = sorted(
            (job for job in jobs if _ended(job) == name and not objects.is_terminating(job)), key=_start_order
        )
        found += ended[: max(0, len(ended) - limit)]
    return found


def _start_order(job: Object) -> tuple[bool, str, str]:
    started = str((job.get("status") or {}).get("startTime") or "")
    return not started, started, objects.name(job)


# Starting.


def _start(seen: Seen) -> _Plan:
    of, spec = seen.cron_job, seen.cron_job["spec"]
    zone_name = spec.get("timeZone")
    try:
        zone = schedules.time_zone(zone_name) if zone_name else datetime.UTC
    except schedules.ScheduleError as why:
        return _told(of, "UnknownTimeZone", f'invalid timeZone: "{zone_name}": {why}')
    try:
        schedule = schedules.parse(spec["schedule"])
    except schedules.ScheduleError as why:
        return _told(of, "UnparseableSchedule", f'unparseable schedule: "{spec["schedule"]}" : {why}')
    status = of.get("status") or {}
    last = times.parse(status.get("lastScheduleTime") or of["metadata"]["creationTimestamp"])
    try:
        due = missed.look(schedule, zone, last, spec.get("startingDeadlineSeconds"), seen.now)
    except missed.NeverStarts as why:
        return _told(of, "InvalidSchedule", f"invalid schedule: {spec['schedule']} : {why}")
    plan = _Plan(why="not yet due")
    if due.next_at is not None:
        plan.again_after_seconds = (due.next_at - seen.now).total_seconds() + _LATE_SECONDS
    if due.missed > missed.MISSED_MAX:
        text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        plan.actions.append(Emit(of, "Warning", "TooManyMissedTimes", text))
    if due.at is not None:
        _start_at(seen, due.at, zone, plan)
    return plan


def _start_at(seen: Seen, at: datetime.datetime, zone: datetime.tzinfo, plan: _Plan) -> None:
    of, spec = seen.cron_job, seen.cron_job["spec"]
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None and at + datetime.timedelta(seconds=deadline) < seen.now:
        text = f"Missed scheduled time to start a job: {at:%a, %d %b %Y %H:%M:%S +0000}"
        plan.actions.append(Emit(of, "Warning", "MissSchedule", text))
        plan.why = "too late"
        return
    name = job_name(of, at)
    if any(objects.name(job) == name for job in seen.jobs):
        plan.started_at, plan.why = at, "it was started"  # and its maker killed before it could say so
        return
    running = [job for job in seen.jobs if not _ended(job) and not objects.is_terminating(job)]
    if running and spec.get("concurrencyPolicy") == "Forbid":
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        plan.actions.append(Emit(of, "Normal", "JobAlreadyActive", text))
        plan.why = "the last one still runs"
        return
    if spec.get("concurrencyPolicy") == "Replace":
        plan.actions += (_delete(of, job) for job in running)
        plan.replaced = {objects.uid(job) for job in running}
    plan.actions.append(_create(of, name, at, zone))
    plan.started_at, plan.why = at, f"{name} is due"


def _told(of: Object, reason: str, message: str) -> _Plan:
    """A mistake of the user: wait for a change."""
    return _Plan([Emit(of, "Warning", reason, message)], why=message)


def _create(of: Object, name: str, at: datetime.datetime, zone: datetime.tzinfo) -> Create:
    template = of["spec"].get("jobTemplate") or {}
    given = template.get("metadata") or {}
    stamp = at.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")
    meta: Object = {
        "name": name,
        "namespace": objects.namespace(of),
        "annotations": {**(given.get("annotations") or {}), SCHEDULED_AT: stamp},
        "ownerReferences": [owners.make(of)],
    }
    if given.get("labels"):
        meta["labels"] = given["labels"]
    return Create(
        kinds.JOB,
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template.get("spec") or {}},
        done=Emit(of, "Normal", "SuccessfulCreate", "Created job {name}"),
        refused=Emit(of, "Warning", "FailedCreate", "Error creating job: {error}"),
    )


def _delete(of: Object, job: Object) -> Delete:
    return decision.delete(
        kinds.JOB,
        job,
        propagation="Background",
        done=Emit(of, "Normal", "SuccessfulDelete", "Deleted job {name}"),
        refused=Emit(of, "Warning", "FailedDelete", "Deleted job: {error}"),
    )
