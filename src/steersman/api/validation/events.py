"""Events, of both groups. Source: upstream's pkg/apis/core/validation/events.go."""

from steersman.api.conversions import events as conversion
from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_NAME_MAX = 128  # of reportingInstance, action and reason
_NOTE_MAX = 1024
_TYPES = ("Normal", "Warning")

# What may not change once an event of the new kind is there, in upstream's order.
_FROZEN = (
    *("involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime"),
    *("action", "related", "reportingController", "reportingInstance"),
)


def validate_event(new: Object, old: Object | None) -> list[FieldError]:
    """Of core/v1: an event with an eventTime follows the new rules in part."""
    return [*metadata.validate(new, old), *_legacy(new, "reportingComponent")]


def validate_new_event(new: Object, old: Object | None) -> list[FieldError]:
    """Of events.k8s.io/v1; the paths are upstream's, which are those of the stored kind."""
    event, before = conversion.to_core(new), conversion.to_core(old) if old is not None else None
    errors = [*_legacy(event, "reportingController"), *metadata.validate(new, old)]
    if before is None:
        return [*errors, *_series(event), *_new(event)]
    if event.get("series") != before.get("series"):
        errors += _series(event)
    for field in _FROZEN:
        stored = "reportingComponent" if field == "reportingController" else field
        if event.get(stored) != before.get(stored):
            errors.append(fields.invalid(field, event.get(stored), fields.IMMUTABLE))
    return errors


def _legacy(event: Object, controller_field: str) -> list[FieldError]:
    """Events of namespaced objects live beside them; events of cluster-scoped ones in `default`."""
    namespace = event["metadata"].get("namespace", "")
    about = (event.get("involvedObject") or {}).get("namespace", "")
    elsewhere = fields.invalid("involvedObject.namespace", about, "does not match event.namespace")
    if event.get("eventTime") is None:
        wrong = about != namespace if about else namespace not in ("", "default")
        return [elsewhere] if wrong else []
    errors = [elsewhere] if not about and namespace not in ("default", "kube-system") else []
    controller, instance = event.get("reportingComponent", ""), event.get("reportingInstance", "")
    if not controller:
        errors.append(fields.required(controller_field))
    errors += fields.each_invalid(controller_field, controller, names.qualified_name_errors(controller))
    if not instance:
        errors.append(fields.required("reportingInstance"))
    errors += _longer("reportingInstance", instance, _NAME_MAX)
    for field in ("action", "reason"):
        if not event.get(field):
            errors.append(fields.required(field))
        errors += _longer(field, event.get(field, ""), _NAME_MAX)
    return [*errors, *_longer("message", event.get("message", ""), _NOTE_MAX)]


def _longer(field: str, text: str, limit: int) -> list[FieldError]:
    if len(text.encode()) <= limit:
        return []
    return [fields.invalid(field, "", f"can have at most {limit} characters")]


def _series(event: Object) -> list[FieldError]:
    series = event.get("series")
    if series is None:
        return []
    errors = [] if series.get("count", 0) >= 2 else [fields.invalid("series.count", "", "should be at least 2")]
    return errors if series.get("lastObservedTime") else [*errors, fields.required("series.lastObservedTime")]


def _new(event: Object) -> list[FieldError]:
    """What only new events of the new kind must keep."""
    errors = [] if event.get("eventTime") else [fields.required("eventTime")]
    if event.get("type") not in _TYPES:
        errors.append(fields.invalid("type", "", f"has invalid value: {event.get('type', '')}"))
    for field in ("firstTimestamp", "lastTimestamp", "count"):
        if event.get(field):
            errors.append(fields.invalid(field, "", "needs to be unset"))
    if any((event.get("source") or {}).values()):
        errors.append(fields.invalid("source", "", "needs to be unset"))
    return errors
