"""StatefulSets, DaemonSets and ReplicationControllers."""

from typing import Any

from steersman.api.validation import fields, metadata, workloads
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_CLAIM_POLICIES = ("Delete", "Retain")

# What an update of a StatefulSet may change; everything else would change the identity of its pods.
_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_ONLY_MUTABLE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def validate_stateful_set(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    # The name becomes part of its pods' host names.
    errors = metadata.validate(new, old, check=names.label_errors if old is None else names.subdomain_errors)
    if old is not None:
        before = old.get("spec") or {}
        if spec == before:
            return [*errors, *_stateful_set_status(new.get("status") or {})]
        errors += _stateful_set_spec(spec)
        if _fixed(spec) != _fixed(before):
            errors.append(fields.forbidden("spec", _ONLY_MUTABLE))
        return errors
    return [*errors, *_stateful_set_spec(spec)]


def validate_daemon_set(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    if old is not None and spec == old.get("spec"):
        return errors
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors += metadata.label_selector(selector, "spec.selector")
    if selector is None:  # it selects nothing
        labels = (template.get("metadata") or {}).get("labels") or {}
        text = "`selector` does not match template `labels`"
        errors.append(fields.invalid("spec.template.metadata.labels", labels, text))
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(fields.invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    errors += workloads.validate_template(spec, "spec.template", "DaemonSet")
    errors += fields.check_not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    errors += _daemon_strategy(spec.get("updateStrategy") or {})
    errors += fields.check_not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    return [*errors, *workloads.check_selector_kept(spec, old)]


def validate_replication_controller(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    if old is not None and spec == old.get("spec"):
        return errors
    errors += fields.check_not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    if not spec.get("selector"):
        errors.append(fields.required("spec.selector"))
    errors += fields.check_not_negative("spec.replicas", spec.get("replicas"))
    as_label_selector = {**spec, "selector": {"matchLabels": spec.get("selector") or {}}}
    return [*errors, *workloads.validate_template(as_label_selector, "spec.template", "ReplicationController")]


# StatefulSets.


def _stateful_set_spec(spec: Object) -> list[FieldError]:
    policy = spec.get("podManagementPolicy") or ""
    errors = []
    if policy not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        errors.append(fields.invalid("spec.podManagementPolicy", policy, text))
    errors += _stateful_strategy(spec.get("updateStrategy") or {})
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for when in ("whenDeleted", "whenScaled"):
        path = f"spec.persistentVolumeClaimRetentionPolicy.{when}"
        errors += fields.check_one_of(path, retention.get(when), _CLAIM_POLICIES, needed=False)
    for field in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        errors += fields.check_not_negative(f"spec.{field}", spec.get(field))
    errors += fields.check_not_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    errors += fields.check_optional_name("spec.serviceName", spec.get("serviceName"), names.label_errors)
    errors += workloads.validate_selector(spec, "statefulset")
    return [*errors, *_stateful_template(spec)]


def _stateful_strategy(strategy: Object) -> list[FieldError]:
    path, rolling = "spec.updateStrategy", strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "OnDelete":
            if rolling is None:
                return []
            text = "only allowed for updateStrategy 'RollingUpdate'"
            return [fields.invalid(f"{path}.rollingUpdate", rolling, text)]
        case "RollingUpdate":
            return _stateful_rolling(rolling or {}, f"{path}.rollingUpdate")
        case _:
            return [fields.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]


def _stateful_rolling(rolling: Object, path: str) -> list[FieldError]:
    errors = fields.check_not_negative(f"{path}.partition", rolling.get("partition"))
    unavailable = rolling.get("maxUnavailable")
    if unavailable is not None:
        errors += workloads.check_amount(f"{path}.maxUnavailable", unavailable)
        if workloads.amount(unavailable) == 0:
            errors.append(fields.invalid(f"{path}.maxUnavailable", unavailable, "cannot be 0"))
    return errors


def _stateful_template(spec: Object) -> list[FieldError]:
    """The claims are volumes of every pod, and come before volumes of the same name."""
    template = spec.get("template") or {}
    claims = {(claim.get("metadata") or {}).get("name", "") for claim in spec.get("volumeClaimTemplates") or ()}
    of_pod = template.get("spec") or {}
    volumes = [one for one in of_pod.get("volumes") or () if one.get("name") not in claims]
    volumes += [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in sorted(claims)]
    whole = {**spec, "template": {**template, "spec": {**of_pod, "volumes": volumes}}}
    return workloads.validate_template(whole, "spec.template", "StatefulSet")


def _fixed(spec: Object) -> Object:
    return {field: value for field, value in spec.items() if field not in _MUTABLE}


def _stateful_set_status(status: Object) -> list[FieldError]:
    replicas, ready = status.get("replicas", 0), status.get("readyReplicas", 0)
    errors = []
    for field in ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"):
        errors += fields.check_not_negative(f"status.{field}", status.get(field))
    for field in ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"):
        count = status.get(field, 0)
        if count > replicas:
            errors.append(fields.invalid(f"status.{field}", count, "cannot be greater than status.replicas"))
    available = status.get("availableReplicas", 0)
    if available > ready:
        text = "cannot be greater than status.readyReplicas"
        errors.append(fields.invalid("status.availableReplicas", available, text))
    return errors


# DaemonSets.


def _daemon_strategy(strategy: Object) -> list[FieldError]:
    path = "spec.updateStrategy"
    match strategy.get("type"):
        case "OnDelete":
            return []
        case "RollingUpdate":
            rolling = strategy.get("rollingUpdate")
            if rolling is None:
                return [fields.required(f"{path}.rollingUpdate")]
            return _daemon_rolling(rolling, f"{path}.rollingUpdate")
        case _:
            return [fields.not_supported(path, strategy, ("OnDelete", "RollingUpdate"))]


def _daemon_rolling(rolling: Object, path: str) -> list[FieldError]:
    unavailable: Any = rolling.get("maxUnavailable", 0)
    surge: Any = rolling.get("maxSurge", 0)
    errors = workloads.check_amount(f"{path}.maxUnavailable", unavailable)
    errors += workloads.check_amount(f"{path}.maxSurge", surge)
    has_unavailable, has_surge = workloads.amount(unavailable) != 0, workloads.amount(surge) != 0
    if has_unavailable and has_surge:
        errors.append(fields.invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    elif not has_unavailable and not has_surge:
        errors.append(fields.required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors
