"""PodDisruptionBudgets."""

from steersman.api.validation import fields, metadata, workloads
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def validate_pod_disruption_budget(new: Object, old: Object | None) -> list[FieldError]:
    spec, status = new.get("spec") or {}, new.get("status") or {}
    errors = metadata.validate(new, old)
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        errors.append(fields.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    for field in ("minAvailable", "maxUnavailable"):
        if spec.get(field) is not None:
            errors += workloads.check_amount(f"spec.{field}", spec[field])
    errors += metadata.label_selector(spec.get("selector"), "spec.selector")
    errors += fields.check_one_of(
        "spec.unhealthyPodEvictionPolicy", spec.get("unhealthyPodEvictionPolicy"), EVICTION_POLICIES, needed=False
    )
    for field in _COUNTS:
        errors += fields.check_not_negative(f"status.{field}", status.get(field))
    return errors
