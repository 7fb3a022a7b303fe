"""How Jobs and CronJobs print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import conditions, times
from steersman.meta.objects import Object

JOB_COLUMNS = (
    cells.NAME,
    Column("Status", description="Status of the job."),
    Column("Completions", field="status.succeeded"),
    Column("Duration", description="Time required to complete the job."),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column("Selector", priority=1, field="spec.selector"),
)

CRON_JOB_COLUMNS = (
    cells.NAME,
    Column("Schedule", field="spec.schedule"),
    Column("Timezone", field="spec.timeZone"),
    Column("Suspend", "boolean", field="spec.suspend"),
    Column("Active", "integer", field="status.active"),
    Column("Last Schedule", field="status.lastScheduleTime"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column("Selector", priority=1, field="spec.jobTemplate.spec.selector"),
)

# The first that is true; a Job that is being deleted stands between the two groups.
_ENDED = (("Complete", "Complete"), ("Failed", "Failed"))
_UNDER_WAY = (
    ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"),
    ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)


def job(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        cells.name(obj),
        _status(obj),
        _completions(obj),
        _duration(obj.get("status") or {}, now),
        cells.age(obj, now),
        *cells.containers(spec.get("template")),
        cells.selector(spec.get("selector")),
    ]


def cron_job(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    last, suspend = status.get("lastScheduleTime"), spec.get("suspend")
    of_job = (spec.get("jobTemplate") or {}).get("spec") or {}
    return [
        cells.name(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or cells.NONE,
        cells.UNSET if suspend is None else str(bool(suspend)),
        len(status.get("active") or ()),
        times.age(last, now) if last else cells.NONE,
        cells.age(obj, now),
        *cells.containers(of_job.get("template")),
        cells.selector(of_job.get("selector")),
    ]


def _status(obj: Object) -> str:
    for condition, text in _ENDED:
        if conditions.is_true(obj, condition):
            return text
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((text for condition, text in _UNDER_WAY if conditions.is_true(obj, condition)), "Running")


def _completions(obj: Object) -> str:
    spec = obj.get("spec") or {}
    succeeded = (obj.get("status") or {}).get("succeeded", 0)
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    if completions is not None:
        return f"{succeeded}/{completions}"
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(status: Object, now: datetime.datetime) -> str:
    started, ended = status.get("startTime"), status.get("completionTime")
    if not started:
        return ""
    return times.human_duration(times.seconds_since(started, times.parse(ended) if ended else now))
