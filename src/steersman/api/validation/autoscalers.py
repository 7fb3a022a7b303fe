"""HorizontalPodAutoscalers."""

from collections.abc import Callable

from steersman.api.conversions import autoscalers
from steersman.api.validation import fields, metadata
from steersman.meta import names, quantities
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

WINDOW_SECONDS_MAX = 3600
PERIOD_SECONDS_MAX = 1800
_SOURCES = {
    "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
    "Resource": "resource",
}  # fmt: skip
_TARGETS = ("AverageValue", "Utilization", "Value")
_POLICIES, _SELECTIONS = ("Percent", "Pods"), ("Disabled", "Max", "Min")
_POSITIVE = "must be greater than 0"


def validate_autoscaler(new: Object, old: Object | None) -> list[FieldError]:
    spec, status = new.get("spec") or {}, new.get("status") or {}
    errors = metadata.validate(new, old)
    errors += _replicas(spec)
    errors += _reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for index, metric in enumerate(spec.get("metrics") or ()):
        errors += _metric(metric, f"spec.metrics[{index}]")
    for which in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(which)
        if rules is not None:
            errors += _rules(rules, f"spec.behavior.{which}")
    for field in ("currentReplicas", "desiredReplicas"):
        errors += fields.check_not_negative(f"status.{field}", status.get(field))
    return errors


def validate_autoscaler_v1(new: Object, old: Object | None) -> list[FieldError]:
    return validate_autoscaler(autoscalers.to_v2(new), autoscalers.to_v2(old) if old is not None else None)


def _replicas(spec: Object) -> list[FieldError]:
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    errors = []
    if least is not None and least < 1:
        errors.append(fields.invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        errors.append(fields.invalid("spec.maxReplicas", most, _POSITIVE))
    if least is not None and most < least:
        errors.append(fields.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    return errors


def _reference(reference: Object, path: str) -> list[FieldError]:
    errors = []
    for field in ("kind", "name"):
        value = reference.get(field, "")
        if not value:
            errors.append(fields.required(f"{path}.{field}"))
        else:
            errors += fields.each_invalid(f"{path}.{field}", value, names.path_segment_errors(value))
    return errors


def _metric(metric: Object, path: str) -> list[FieldError]:
    kind = metric.get("type", "")
    errors = [] if kind else [fields.required(f"{path}.type", "must specify a metric source type")]
    if kind not in _SOURCES:
        errors.append(fields.not_supported(f"{path}.type", kind, _SOURCES))
    present = [field for field in _CHECKS if metric.get(field) is not None]
    if present:
        errors += _CHECKS[present[0]](metric[present[0]], f"{path}.{present[0]}")
    expected = _SOURCES.get(kind, kind.lower())
    if expected not in present:
        errors.append(fields.required(f"{path}.{expected}", "must populate information for the given metric source"))
    if len(present) != 1:
        for field in present:
            if field != expected:
                errors.append(fields.forbidden(f"{path}.{field}", "must populate the given metric source only"))
    return errors


def _object(source: Object, path: str) -> list[FieldError]:
    errors = _reference(source.get("describedObject") or {}, f"{path}.describedObject")
    errors += _identity(source.get("metric") or {}, f"{path}.metric") + _target(source, path)
    if not _has(source, "value") and not _has(source, "averageValue"):
        text = "must set either a target value or averageValue"
        errors.append(fields.required(f"{path}.target.averageValue", text))
    return errors


def _pods(source: Object, path: str) -> list[FieldError]:
    errors = _identity(source.get("metric") or {}, f"{path}.metric") + _target(source, path)
    value = (source.get("target") or {}).get("averageValue")
    if value is None or quantities.parse(value).nanos <= 0:
        errors.append(fields.required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    return errors


def _resource(source: Object, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [fields.required(f"{path}.name", "must specify a resource name")]
    errors += _target(source, path)
    has = [_has(source, field) for field in ("averageUtilization", "averageValue")]
    if not any(has):
        text = "must set either a target raw value or a target utilization"
        errors.append(fields.required(f"{path}.target.averageUtilization", text))
    if all(has):
        text = "may not set both a target raw value and a target utilization"
        errors.append(fields.forbidden(f"{path}.target.averageValue", text))
    return errors


def _container_resource(source: Object, path: str) -> list[FieldError]:
    errors = _resource(source, path)
    if not source.get("container"):
        errors.insert(0, fields.required(f"{path}.container", "must specify a container"))
    return errors


def _external(source: Object, path: str) -> list[FieldError]:
    errors = _identity(source.get("metric") or {}, f"{path}.metric") + _target(source, path)
    has = [_has(source, field) for field in ("value", "averageValue")]
    if not any(has):
        text = "must set either a target value for metric or a per-pod target"
        errors.append(fields.required(f"{path}.target.averageValue", text))
    if all(has):
        text = "may not set both a target value for metric and a per-pod target"
        errors.append(fields.forbidden(f"{path}.target.value", text))
    return errors


_CHECKS: dict[str, Callable[[Object, str], list[FieldError]]] = {
    "object": _object,
    "external": _external,
    "pods": _pods,
    "resource": _resource,
    "containerResource": _container_resource,
}


def _identity(metric: Object, path: str) -> list[FieldError]:
    name = metric.get("name", "")
    if not name:
        return [fields.required(f"{path}.name", "must specify a metric name")]
    errors = fields.each_invalid(f"{path}.name", name, names.path_segment_errors(name))
    return [*errors, *metadata.label_selector(metric.get("selector"), f"{path}.selector")]


def _target(source: Object, path: str) -> list[FieldError]:
    target, path = source.get("target") or {}, f"{path}.target"
    kind = target.get("type", "")
    errors = [] if kind else [fields.required(f"{path}.type", "must specify a metric target type")]
    if kind not in _TARGETS:
        errors.append(fields.invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for field in ("value", "averageValue"):
        value = target.get(field)
        if value is not None and quantities.parse(value).nanos <= 0:
            errors.append(fields.invalid(f"{path}.{field}", value, "must be positive"))
    percent = target.get("averageUtilization")
    if percent is not None and percent < 1:
        errors.append(fields.invalid(f"{path}.averageUtilization", percent, _POSITIVE))
    return errors


def _has(source: Object, field: str) -> bool:
    return (source.get("target") or {}).get(field) is not None


def _rules(rules: Object, path: str) -> list[FieldError]:
    errors = []
    window, selection = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    if window is not None and window < 0:
        text = "must be greater than or equal to zero"
        errors.append(fields.invalid(f"{path}.stabilizationWindowSeconds", window, text))
    if window is not None and window > WINDOW_SECONDS_MAX:
        text = f"must be less than or equal to {WINDOW_SECONDS_MAX}"
        errors.append(fields.invalid(f"{path}.stabilizationWindowSeconds", window, text))
    if selection is not None and selection not in _SELECTIONS:
        errors.append(fields.not_supported(f"{path}.selectPolicy", selection, _SELECTIONS))
    policies = rules.get("policies") or []
    if not policies:
        errors.append(fields.required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        errors += _policy(policy, f"{path}.policies[{index}]")
    tolerance = rules.get("tolerance")
    if tolerance is not None and quantities.parse(tolerance).nanos < 0:
        errors.append(fields.invalid(f"{path}.tolerance", tolerance, "must be greater or equal to zero"))
    return errors


def _policy(policy: Object, path: str) -> list[FieldError]:
    errors = []
    if policy.get("type") not in _POLICIES:
        errors.append(fields.not_supported(f"{path}.type", policy.get("type", ""), _POLICIES))
    for field in ("value", "periodSeconds"):
        if (policy.get(field) or 0) <= 0:
            errors.append(fields.invalid(f"{path}.{field}", policy.get(field) or 0, "must be greater than zero"))
    if (policy.get("periodSeconds") or 0) > PERIOD_SECONDS_MAX:
        text = f"must be less than or equal to {PERIOD_SECONDS_MAX}"
        errors.append(fields.invalid(f"{path}.periodSeconds", policy["periodSeconds"], text))
    return errors
