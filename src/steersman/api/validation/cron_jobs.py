"""CronJobs."""

from steersman.api.validation import fields, jobs, metadata
from steersman.meta import schedules
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

# The names of its Jobs add eleven characters, and a Job's name is a label's value.
_NAME_MAX = 52
_CONCURRENCY = ("Allow", "Forbid", "Replace")


def validate_cron_job(new: Object, old: Object | None) -> list[FieldError]:
    spec, before = new.get("spec") or {}, (old or {}).get("spec") or {}
    errors = metadata.validate(new, old)
    if old is not None and spec == before:
        return errors
    errors += _schedule(spec, before)
    errors += fields.check_not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    if old is None or spec.get("timeZone") != before.get("timeZone"):
        errors += _time_zone(spec.get("timeZone"))
    errors += fields.check_one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), _CONCURRENCY)
    errors += _job_template((spec.get("jobTemplate") or {}).get("spec") or {})
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        errors += fields.check_not_negative(f"spec.{field}", spec.get(field))
    name = new["metadata"].get("name", "")
    if old is None and len(name) > _NAME_MAX:
        errors.append(fields.invalid("metadata.name", name, f"must be no more than {_NAME_MAX} characters"))
    return errors


def _schedule(spec: Object, before: Object) -> list[FieldError]:
    path, text = "spec.schedule", spec.get("schedule") or ""
    if not text:
        return [fields.required(path)]
    errors = []
    try:
        schedules.parse(text)
    except schedules.ScheduleError as why:
        errors.append(fields.invalid(path, text, str(why)))
    if "TZ" in text:
        if "TZ" not in (before.get("schedule") or ""):
            why_not = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            errors.append(fields.invalid(path, text, why_not))
        elif spec.get("timeZone") is not None:
            why_not = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
            errors.append(fields.invalid(path, text, why_not))
    return errors


def _time_zone(name: str | None) -> list[FieldError]:
    path = "spec.timeZone"
    if name is None:
        return []
    if not name:
        return [fields.invalid(path, name, "timeZone must be nil or non-empty string")]
    if name.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [fields.invalid(path, name, text)]
    try:
        schedules.time_zone(name)
    except schedules.ScheduleError as why:
        return [fields.invalid(path, name, str(why))]
    return []


def _job_template(spec: Object) -> list[FieldError]:
    path = "spec.jobTemplate.spec"
    errors = jobs.validate_spec(spec, path)
    if spec.get("selector") is not None:
        errors.append(fields.invalid(f"{path}.selector", spec["selector"], "`selector` will be auto-generated"))
    if spec.get("manualSelector"):
        errors.append(fields.not_supported(f"{path}.manualSelector", True, ("nil", "false")))
    return errors
