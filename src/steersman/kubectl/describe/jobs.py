"""Jobs and cron jobs."""

from steersman.kubectl.describe import events, pod_templates
from steersman.kubectl.describe.writing import (
    NONE,
    UNSET,
    Description,
    annotations,
    controlled_by,
    flag,
    head,
    labels,
    metadata,
    name,
    spec,
    status,
    yes_no,
)
from steersman.meta import selectors, times
from steersman.meta.objects import Object

_INDEXES_MOST = 50  # characters of completed indexes, up to the next comma


def job(d: Description, obj: Object) -> None:
    wanted, seen = spec(obj), status(obj)
    name(d, obj)
    d.row(0, "Selector:", _selector(wanted.get("selector")))
    labels(d, "Labels", metadata(obj).get("labels"))
    annotations(d, "Annotations", metadata(obj).get("annotations"))
    controlled_by(d, obj)
    if wanted.get("parallelism") is not None:
        d.row(0, "Parallelism:", wanted["parallelism"])
    d.row(0, "Completions:", _or_unset(wanted, "completions"))
    if wanted.get("completionMode") is not None:
        d.row(0, "Completion Mode:", wanted["completionMode"])
    if wanted.get("suspend") is not None:
        d.row(0, "Suspend:", flag(wanted["suspend"]))
    for title, key in (("Backoff Limit", "backoffLimit"), ("TTL Seconds After Finished", "ttlSecondsAfterFinished")):
        if wanted.get(key) is not None:
            d.row(0, f"{title}:", wanted[key])
    _times(d, seen)
    if wanted.get("activeDeadlineSeconds") is not None:
        d.row(0, "Active Deadline Seconds:", f"{wanted['activeDeadlineSeconds']}s")
    ready = f" ({seen['ready']} Ready)" if seen.get("ready") is not None else ""
    counts = (
        f"{seen.get('active', 0)} Active{ready} / {seen.get('succeeded', 0)} Succeeded / {seen.get('failed', 0)} Failed"
    )
    d.row(0, "Pods Statuses:", counts)
    if wanted.get("completionMode") == "Indexed":
        d.row(0, "Completed Indexes:", _indexes(seen.get("completedIndexes", "")))
    pod_templates.write(d, wanted.get("template"))
    events.write(d)


def _times(d: Description, seen: Object) -> None:
    started, completed = seen.get("startTime"), seen.get("completionTime")
    if started:
        d.row(0, "Start Time:", d.time(started))
    if completed:
        d.row(0, "Completed At:", d.time(completed))
    if started and completed:
        d.row(0, "Duration:", times.human_duration(times.seconds_since(started, times.parse(completed))))


def _selector(selector: Object | None) -> str:
    try:
        return str(selectors.from_object(selector))
    except selectors.SelectorError as wrong:
        return f"Failed to get selector: {wrong}"


def _or_unset(holder: Object, key: str, unit: str = "") -> str:
    value = holder.get(key)
    return UNSET if value is None else f"{value}{unit}"


def _indexes(text: str) -> str:
    if not text:
        return NONE
    comma = text.find(",", _INDEXES_MOST)
    return text if comma < 0 else f"{text[: comma + 1]}..."


def cron_job(d: Description, obj: Object) -> None:
    wanted, seen = spec(obj), status(obj)
    head(d, obj)
    d.row(0, "Schedule:", wanted.get("schedule", ""))
    d.row(0, "Concurrency Policy:", wanted.get("concurrencyPolicy", ""))
    d.row(0, "Suspend:", UNSET if wanted.get("suspend") is None else yes_no(wanted["suspend"]))
    d.row(0, "Successful Job History Limit:", _or_unset(wanted, "successfulJobsHistoryLimit"))
    d.row(0, "Failed Job History Limit:", _or_unset(wanted, "failedJobsHistoryLimit"))
    d.row(0, "Starting Deadline Seconds:", _or_unset(wanted, "startingDeadlineSeconds", "s"))
    _template(d, wanted.get("jobTemplate") or {})
    last = seen.get("lastScheduleTime")
    d.row(0, "Last Schedule Time:", d.time(last) if last else UNSET)
    active = ", ".join(one.get("name", "") for one in seen.get("active") or ())
    d.row(0, "Active Jobs:", active or NONE)
    events.write(d)


def _template(d: Description, template: Object) -> None:
    wanted = spec(template)
    d.row(0, "Selector:", UNSET if wanted.get("selector") is None else _selector(wanted["selector"]))
    d.row(0, "Parallelism:", _or_unset(wanted, "parallelism"))
    d.row(0, "Completions:", _or_unset(wanted, "completions"))
    if wanted.get("activeDeadlineSeconds") is not None:
        d.row(0, "Active Deadline Seconds:", f"{wanted['activeDeadlineSeconds']}s")
    pod_templates.write(d, wanted.get("template"))
