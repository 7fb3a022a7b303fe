"""ResourceQuotas and LimitRanges."""

from collections.abc import Iterable, Mapping

from steersman.api.quotas import pods
from steersman.api.validation import fields, metadata
from steersman.meta import names, quantities
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object
from steersman.meta.quantities import Quantity

_COUNTED = frozenset((
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
))  # fmt: skip
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_STANDARD = _COUNTED.union(
    _COMPUTE, (f"requests.{name}" for name in (*_COMPUTE, "storage")), (f"limits.{name}" for name in _COMPUTE)
)
_OF_PODS = frozenset((
    "pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
))  # fmt: skip

# What each scope can limit.
_SCOPES: dict[str, frozenset[str]] = {
    "Terminating": _OF_PODS,
    "NotTerminating": _OF_PODS,
    "NotBestEffort": _OF_PODS,
    "PriorityClass": _OF_PODS,
    "CrossNamespacePodAffinity": _OF_PODS,
    "BestEffort": frozenset(("pods",)),
    "VolumeAttributesClass": frozenset(("persistentvolumeclaims", "requests.storage")),
}
_ONLY_EXIST = frozenset(("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity"))
_ONLY_EXIST_TEXT = (
    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_OPPOSITES = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))

_TYPES = ("Container", "PersistentVolumeClaim", "Pod")


def validate_resource_quota(new: Object, old: Object | None) -> list[FieldError]:
    spec, status = new.get("spec") or {}, new.get("status") or {}
    errors = metadata.validate(new, old)
    errors += _amounts(spec.get("hard") or {}, "spec.hard")
    errors += _scopes(spec) + _scope_selector(spec)
    for field in ("hard", "used"):
        errors += _amounts(status.get(field) or {}, f"status.{field}")
    if old is not None:
        before = (old.get("spec") or {}).get("scopes") or []
        if set(before) != set(spec.get("scopes") or ()):
            errors.append(fields.invalid("spec.scopes", spec.get("scopes"), fields.IMMUTABLE))
    return errors


def _amounts(amounts: Mapping[str, str], path: str) -> list[FieldError]:
    errors = []
    for name, text in amounts.items():
        here = f"{path}[{name}]"
        errors += _resource_name(name, here)
        amount = quantities.parse(text)
        if amount.nanos < 0:
            errors.append(fields.invalid(here, text, fields.NEGATIVE))
        if (name in _COUNTED or _is_extended(name)) and amount.nanos % quantities.NANOS:
            errors.append(fields.invalid(here, text, "must be an integer"))
    return errors


def _resource_name(name: str, path: str) -> list[FieldError]:
    errors = fields.each_invalid(path, name, names.qualified_name_errors(name))
    if not errors and "/" not in name and not _is_standard(name):
        errors.append(fields.invalid(path, name, "must be a standard resource type or fully qualified"))
        errors.append(fields.invalid(path, name, "must be a standard resource for quota"))
    return errors


def _is_standard(name: str) -> bool:
    return name in _STANDARD or name.startswith((pods.HUGE_PAGES, pods.REQUESTS + pods.HUGE_PAGES))


def _is_extended(name: str) -> bool:
    return pods.is_extended(name) and not names.qualified_name_errors(pods.REQUESTS + name)


def _scopes(spec: Object) -> list[FieldError]:
    scopes, path = spec.get("scopes") or [], "spec.scopes"
    errors = []
    for scope in scopes:
        if scope not in _SCOPES:
            errors.append(fields.invalid(path, scopes, "unsupported scope"))
        errors += [
            fields.invalid(path, scopes, "unsupported scope applied to resource") for _ in _not_in_scope(spec, scope)
        ]
    return [*errors, *_conflicts(spec, scopes, path)]


def _scope_selector(spec: Object) -> list[FieldError]:
    selector = spec.get("scopeSelector")
    if selector is None:
        return []
    path = "spec.scopeSelector.matchExpressions"
    errors = []
    listed = selector.get("matchExpressions") or []
    for one in listed:
        scope, operator, values = one.get("scopeName", ""), one.get("operator", ""), one.get("values") or []
        if scope not in _SCOPES:
            errors.append(fields.invalid(f"{path}.scopeName", scope, "unsupported scope"))
        errors += [
            fields.invalid(path, selector, "unsupported scope applied to resource") for _ in _not_in_scope(spec, scope)
        ]
        if scope in _ONLY_EXIST and operator != "Exists":
            errors.append(fields.invalid(f"{path}.operator", operator, _ONLY_EXIST_TEXT))
        if operator in ("In", "NotIn"):
            if not values:
                text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                errors.append(fields.required(f"{path}.values", text))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                errors.append(fields.invalid(f"{path}.values", values, text))
        else:
            errors.append(fields.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    return [*errors, *_conflicts(spec, [one.get("scopeName", "") for one in listed], path)]


def _not_in_scope(spec: Object, scope: str) -> list[str]:
    allowed = _SCOPES.get(scope)
    if allowed is None:
        return []
    return [name for name in sorted(spec.get("hard") or ()) if _is_standard(name) and name not in allowed]


def _conflicts(spec: Object, scopes: Iterable[str], path: str) -> list[FieldError]:
    given = set(scopes)
    return [
        fields.invalid(path, spec.get("scopes"), "conflicting scopes") for pair in _OPPOSITES if given.issuperset(pair)
    ]


# LimitRange


def validate_limit_range(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old)
    types: set[str] = set()
    for index, item in enumerate((new.get("spec") or {}).get("limits") or ()):
        here, kind = f"spec.limits[{index}]", item.get("type", "")
        errors += _limit_type(kind, f"{here}.type")
        if kind in types:
            errors.append(fields.duplicate(f"{here}.type", kind))
        types.add(kind)
        errors += _limit(item, kind, here)
    return errors


def _limit_type(kind: str, path: str) -> list[FieldError]:
    errors = fields.each_invalid(path, kind, names.qualified_name_errors(kind))
    if not errors and "/" not in kind and kind not in _TYPES:
        errors.append(fields.invalid(path, kind, "must be a standard limit type or fully qualified"))
    return errors


def _limit(item: Object, kind: str, path: str) -> list[FieldError]:
    errors = []
    listed: dict[str, Mapping[str, str]] = {}
    for field in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
        amounts = item.get(field) or {}
        if kind == "Pod" and field in ("default", "defaultRequest"):
            if amounts:
                errors.append(fields.forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'"))
            continue
        listed[field] = amounts
        for name in amounts:
            errors += _limited_name(kind, name, f"{path}.{field}[{name}]")
    if kind == "PersistentVolumeClaim" and not any("storage" in listed[field] for field in ("min", "max")):
        text = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(fields.required(f"{path}.limits", text))
    for name in sorted({name for amounts in listed.values() for name in amounts}):
        found = {field: quantities.parse(amounts[name]) for field, amounts in listed.items() if name in amounts}
        errors += _order(name, found, path)
    return errors


def _limited_name(kind: str, name: str, path: str) -> list[FieldError]:
    errors = fields.each_invalid(path, name, names.qualified_name_errors(name))
    if errors or "/" in name:
        return errors
    if kind in ("Pod", "Container"):
        standard, text = (
            name in _COMPUTE or name.startswith(pods.HUGE_PAGES),
            "must be a standard resource for containers",
        )
    else:
        standard = name == "storage" or _is_standard(name)
        text = "must be a standard resource type or fully qualified"
    return [] if standard else [fields.invalid(path, name, text)]


# (field, the one that may not be greater, field of the error, its value, text)
_ORDERS = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest", "default request value {} is greater than max value {}"),
    (
        "defaultRequest", "default", "defaultRequest", "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)  # fmt: skip


def _order(name: str, found: Mapping[str, Quantity], path: str) -> list[FieldError]:
    errors = []
    for low, high, field, value, text in _ORDERS:
        if low in found and high in found and found[low] > found[high]:
            shown = text.format(found[low], found[high])
            errors.append(fields.invalid(f"{path}.{field}[{name}]", str(found[value]), shown))
    ratio = found.get("maxLimitRequestRatio")
    if ratio is not None:
        errors += _ratio(ratio, found, f"{path}.maxLimitRequestRatio[{name}]")
    request, limit = found.get("defaultRequest"), found.get("default")
    may_differ = pods.is_native(name) and not name.startswith(pods.HUGE_PAGES)
    if not may_differ and request is not None and limit is not None and request != limit:
        text = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        errors.append(fields.invalid(f"{path}.defaultRequest[{name}]", str(request), text))
    return errors


def _ratio(ratio: Quantity, found: Mapping[str, Quantity], path: str) -> list[FieldError]:
    errors = []
    if ratio.nanos < quantities.NANOS:
        errors.append(fields.invalid(path, str(ratio), f"ratio {ratio} is less than 1"))
    least, most = found.get("min"), found.get("max")
    if least is not None and most is not None and least.nanos:
        possible = most.nanos / least.nanos
        if ratio.nanos / quantities.NANOS > possible:
            errors.append(fields.invalid(path, str(ratio), f"ratio {ratio} is greater than max/min = {possible:f}"))
    return errors
