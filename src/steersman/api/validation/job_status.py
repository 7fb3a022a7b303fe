"""Which ways a Job's status may go: an outside controller (`managedBy`) must keep the promises clients rely on, as ours does.

Most rules hold only where their fields change, so that a status that was once wrong can still be written.
"""

from collections.abc import Iterator

from steersman.api.validation import fields
from steersman.meta import conditions, indexes, times
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_CONDITIONS = "status.conditions"
_FINAL = ("Failed", "Complete", "FailureTarget")


def validate(new: Object, old: Object) -> list[FieldError]:
    status, before, spec = new.get("status") or {}, old.get("status") or {}, new.get("spec") or {}
    return [
        *_counts(status),
        *_uncounted(status),
        *_contradictions(new),
        *_finished(new, old),
        *_times(new, old),
        *_index_sets(spec, status, before),
        *_backwards(new, old),
    ]


def _counts(status: Object) -> list[FieldError]:
    errors = []
    for field in ("active", "succeeded", "failed", "ready", "terminating"):
        errors += fields.check_not_negative(f"status.{field}", status.get(field))
    return errors


def _uncounted(status: Object) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for field in ("succeeded", "failed"):
        for index, uid in enumerate((status.get("uncountedTerminatedPods") or {}).get(field) or ()):
            path = f"status.uncountedTerminatedPods.{field}[{index}]"
            if not uid:
                errors.append(fields.invalid(path, uid, "must not be empty"))
            elif uid in seen:
                errors.append(fields.duplicate(path, uid))
            seen.add(uid)
    return errors


def _contradictions(job: Object) -> Iterator[FieldError]:
    """Pairs of conditions that cannot both be true."""
    for one, other, text in (
        ("Complete", "Failed", "cannot set Complete=True and Failed=true conditions"),
        ("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
        ("SuccessCriteriaMet", "Failed", "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
        ("SuccessCriteriaMet", "FailureTarget", "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
    ):
        if conditions.is_true(job, one) and conditions.is_true(job, other):
            yield _about_conditions(text)
    policy = (job.get("spec") or {}).get("successPolicy")
    if policy is not None and conditions.is_true(job, "Complete") and not conditions.is_true(job, "SuccessCriteriaMet"):
        yield _about_conditions("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")


def _finished(new: Object, old: Object) -> Iterator[FieldError]:
    """A Job that has ended has begun, and has neither active pods nor pods to count."""
    if not _is_finished(new):
        return
    status, before, ends = new.get("status") or {}, old.get("status") or {}, not _is_finished(old)
    active, uncounted = status.get("active") or 0, status.get("uncountedTerminatedPods") or {}
    if active > 0 and (ends or active != before.get("active")):
        yield fields.invalid("status.active", active, "active>0 is invalid for finished job")
    if status.get("startTime") is None and (ends or before.get("startTime") is not None):
        yield fields.required("status.startTime", "startTime is required for finished job")
    if any(uncounted.values()) and (ends or uncounted != before.get("uncountedTerminatedPods")):
        text = "uncountedTerminatedPods needs to be empty for finished job"
        yield fields.invalid("status.uncountedTerminatedPods", uncounted, text)


def _times(new: Object, old: Object) -> Iterator[FieldError]:
    status, before = new.get("status") or {}, old.get("status") or {}
    started, ended = status.get("startTime"), status.get("completionTime")
    is_complete, path = conditions.is_true(new, "Complete"), "status.completionTime"
    if is_complete != conditions.is_true(old, "Complete") or ended != before.get("completionTime"):
        if ended is not None and not is_complete:
            text = "cannot set completionTime when there is no Complete=True condition"
            yield fields.invalid(path, ended, text)
        if ended is None and is_complete:
            yield fields.required(path, "completionTime is required for Complete jobs")
    has_changed = (started, ended) != (before.get("startTime"), before.get("completionTime"))
    if started and ended and has_changed and times.parse(ended) < times.parse(started):
        yield fields.invalid(path, ended, "completionTime cannot be set before startTime")
    if ended is not None and before.get("completionTime") not in (None, ended):
        yield fields.invalid(path, ended, "completionTime cannot be mutated")
    # A Job that is resumed begins anew.
    is_resumed = conditions.is_true(old, "Suspended") and not conditions.is_true(new, "Suspended")
    runs_on = not is_resumed and not (new.get("spec") or {}).get("suspend")
    if before.get("startTime") not in (None, started) and runs_on:
        yield fields.required("status.startTime", "startTime cannot be removed for unsuspended job")


def _index_sets(spec: Object, status: Object, before: Object) -> Iterator[FieldError]:
    completions = spec.get("completions") or 0
    done, failed = status.get("completedIndexes") or "", status.get("failedIndexes")
    done_changed, failed_changed = done != (before.get("completedIndexes") or ""), failed != before.get("failedIndexes")
    sets = []
    for field, text, changed in (("completedIndexes", done, done_changed), ("failedIndexes", failed, failed_changed)):
        try:
            sets.append(indexes.parse(text or "", completions))
        except indexes.IndexesError as why:
            if changed:
                yield fields.invalid(f"status.{field}", text, f"error parsing {field}: {why}")
    if done and done_changed and spec.get("completionMode") != "Indexed":
        text = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield fields.invalid("status.completedIndexes", done, text)
    if failed is not None and failed_changed and spec.get("backoffLimitPerIndex") is None:
        text = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        yield fields.invalid("status.failedIndexes", failed, text)
    if len(sets) == 2 and (done_changed or failed_changed) and (both := indexes.overlap(*sets)) is not None:
        text = f"failedIndexes and completedIndexes overlap at index: {both}"
        yield fields.invalid("status.failedIndexes", failed, text)


def _backwards(new: Object, old: Object) -> Iterator[FieldError]:
    """What has ended stays so, and what was counted stays counted."""
    for name in _FINAL:
        if conditions.is_true(old, name) and not conditions.is_true(new, name):
            yield _about_conditions(f"cannot disable the terminal {name}=True condition")
    spec, status, before = new.get("spec") or {}, new.get("status") or {}, old.get("status") or {}
    failed, succeeded = status.get("failed", 0), status.get("succeeded", 0)
    if failed < before.get("failed", 0):
        yield fields.invalid("status.failed", failed, "cannot decrease the failed counter")
    may_shrink = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    if succeeded < before.get("succeeded", 0) and not may_shrink:
        yield fields.invalid("status.succeeded", succeeded, "cannot decrease the succeeded counter")
    had, has = conditions.is_true(old, "SuccessCriteriaMet"), conditions.is_true(new, "SuccessCriteriaMet")
    if had and not has:
        yield _about_conditions("cannot disable the SuccessCriteriaMet=True condition")
    if has and not had and conditions.is_true(old, "Complete"):
        text = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        yield _about_conditions(text)


def _is_finished(job: Object) -> bool:
    return conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed")


def _about_conditions(text: str) -> FieldError:
    return FieldError(_CONDITIONS, "FieldValueInvalid", f"Invalid value: {text}")
