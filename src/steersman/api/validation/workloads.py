"""Deployments, ReplicaSets and ControllerRevisions."""

from typing import Any

from steersman.api.validation import fields, metadata, pods
from steersman.meta import selectors
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object


def validate_deployment(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    if old is not None and spec == old.get("spec"):
        return errors  # a status: most writes are of this kind
    errors += fields.check_not_negative("spec.replicas", spec.get("replicas"))
    errors += validate_selector(spec, "deployment")
    errors += validate_template(spec, "spec.template", "Deployment")
    errors += _strategy(spec.get("strategy") or {})
    for field in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        errors += fields.check_not_negative(f"spec.{field}", spec.get(field))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        text = "must be greater than minReadySeconds"
        errors.append(fields.invalid("spec.progressDeadlineSeconds", deadline, text))
    return [*errors, *check_selector_kept(spec, old)]


def validate_replica_set(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    if old is not None and spec == old.get("spec"):
        return errors
    errors += fields.check_not_negative("spec.replicas", spec.get("replicas"))
    errors += fields.check_not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    errors += validate_selector(spec, "deployment")
    errors += validate_template(spec, "spec.template", "ReplicaSet")
    return [*errors, *check_selector_kept(spec, old)]


def validate_controller_revision(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old)
    errors += fields.check_not_negative("revision", new.get("revision", 0))
    if new.get("data") is None:
        errors.append(fields.required("data", "data is mandatory"))
    if old is not None:
        errors += fields.check_immutable("data", new.get("data"), old.get("data"))
    return errors


def validate_pod_template(new: Object, old: Object | None) -> list[FieldError]:
    return [*metadata.validate(new, old), *pods.validate_template(new.get("template") or {}, "template")]


def validate_selector(spec: Object, of: str) -> list[FieldError]:
    """A selector is there and selects something."""
    selector = spec.get("selector")
    if selector is None:
        return [fields.required("spec.selector")]
    errors = metadata.label_selector(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(fields.invalid("spec.selector", selector, f"empty selector is invalid for {of}"))
    return errors


def check_selector_kept(spec: Object, old: Object | None) -> list[FieldError]:
    """A selector never changes: the pods it selected would be forgotten."""
    if old is None:
        return []
    return fields.check_immutable("spec.selector", spec.get("selector"), (old.get("spec") or {}).get("selector"))


def validate_template(spec: Object, path: str, kind: str) -> list[FieldError]:
    """The template's labels match the selector, and its pods may run for ever."""
    template = spec.get("template")
    if template is None:
        return [fields.required(path)]
    errors = []
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not _selects(spec.get("selector"), labels):
        text = "`selector` does not match template `labels`"
        errors.append(fields.invalid(f"{path}.metadata.labels", labels, text))
    errors += pods.validate_template(template, path)
    of_pod = template.get("spec") or {}
    policy = of_pod.get("restartPolicy")
    if policy not in (None, "Always"):
        errors.append(fields.not_supported(f"{path}.spec.restartPolicy", policy, ("Always",)))
    if of_pod.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(fields.forbidden(f"{path}.spec.activeDeadlineSeconds", text))
    return errors


def check_amount(path: str, value: Any, *, percent_max: int | None = 100) -> list[FieldError]:
    """IntOrString: a count or a percentage."""
    if isinstance(value, str):
        digits = value.removesuffix("%")
        if not (value.endswith("%") and digits.isascii() and digits.isdigit()):
            text = (
                "a valid percent string must be a numeric string followed by an ending '%' "
                "(e.g. '1%', or '93%', regex used for validation is '[0-9]+%')"
            )
            return [fields.invalid(path, value, text)]
        if percent_max is not None and int(digits) > percent_max:
            return [fields.invalid(path, value, f"must not be greater than {percent_max}%")]
        return []
    return fields.check_not_negative(path, value)


def amount(value: Any) -> int:
    """The number of an IntOrString, percentages without their sign; 0 for text that is neither."""
    if not isinstance(value, str):
        return int(value)
    digits = value.removesuffix("%")
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _selects(selector: Object | None, labels: dict[str, str]) -> bool:
    """Also true for a selector that is wrong or missing: that is another error."""
    if selector is None:
        return True
    try:
        return selectors.object_matches(selector, labels)
    except selectors.SelectorError:
        return True


def _strategy(strategy: Object) -> list[FieldError]:
    path, rolling = "spec.strategy", strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "Recreate":
            text = "may not be specified when strategy `type` is 'Recreate'"
            return [fields.forbidden(f"{path}.rollingUpdate", text)] if rolling is not None else []
        case "RollingUpdate":
            if rolling is None:
                return [fields.required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
            return _rolling(rolling, f"{path}.rollingUpdate")
        case other:
            return [fields.not_supported(f"{path}.type", other or "", ("Recreate", "RollingUpdate"))]


def _rolling(rolling: Object, path: str) -> list[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    errors = check_amount(f"{path}.maxUnavailable", unavailable)
    errors += check_amount(f"{path}.maxSurge", surge, percent_max=None)
    if not errors and amount(unavailable) == 0 and amount(surge) == 0:
        text = "may not be 0 when `maxSurge` is 0"
        errors.append(fields.invalid(f"{path}.maxUnavailable", unavailable, text))
    return errors
