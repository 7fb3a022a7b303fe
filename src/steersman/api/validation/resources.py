"""Requests and limits of containers, and of a pod as a whole; what a change of them in place may do."""

from collections.abc import Collection

from steersman.api import pod_resources
from steersman.api.validation import fields
from steersman.meta import names, quantities
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

STANDARD = frozenset(("cpu", "memory", "ephemeral-storage"))
_HUGE = "hugepages-"
_RESIZED = ("cpu", "memory")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")


def validate(resources: Object, path: str) -> list[FieldError]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    errors = []
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if name not in STANDARD or quantities.parse(amount).nanos < 0:
                errors += _amount(name, amount, f"{path}.{field}[{name}]")
    for name, request in requests.items():
        limit, shared = limits.get(name), _is_shared(name)
        if limit is None:
            if not shared:
                errors.append(fields.required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif request != limit and (order := quantities.compare(request, limit)) and (order > 0 or not shared):
            text = "must be less than or equal to" if shared else "must be equal to"
            errors.append(fields.invalid(f"{path}.requests", request, f"{text} {name} limit of {limit}"))
    huge = any(name.startswith(_HUGE) for name in (*limits, *requests))
    if huge and not any(name in limits or name in requests for name in ("cpu", "memory")):
        errors.append(fields.forbidden(path, "HugePages require cpu or memory"))
    return errors


def _is_shared(name: str) -> bool:
    """Whether containers may ask for less of it than they may use: not of what is counted in whole pieces."""
    is_native = "/" not in name or "kubernetes.io/" in name
    return is_native and not name.startswith(_HUGE)


def _amount(name: str, amount: str, path: str) -> list[FieldError]:
    errors = fields.each_invalid(path, name, names.qualified_name_errors(name))
    if not errors and "/" not in name and name not in STANDARD and not name.startswith(_HUGE):
        errors.append(fields.invalid(path, name, "must be a standard resource for containers"))
    parsed = quantities.parse(amount)
    if parsed.nanos < 0:
        errors.append(fields.invalid(path, amount, fields.NEGATIVE))
    if "/" in name and parsed.nanos % quantities.NANOS:
        errors.append(fields.invalid(path, amount, "must be an integer"))
    return errors


def _claims(resources: Object, path: str, claims: Collection[str]) -> list[FieldError]:
    """Devices: by the names of the pod's resourceClaims."""
    errors = []
    seen: set[tuple[str, str]] = set()
    for index, claim in enumerate(resources["claims"]):
        here, name, request = f"{path}[{index}]", claim.get("name", ""), claim.get("request", "")
        if not name:
            errors.append(fields.required(here))
            continue
        if (name, request) in seen:
            errors.append(fields.duplicate(here, f"{name}/{request}" if request else name))
        seen.add((name, request))
        if name not in claims:
            rest = f": {', '.join(sorted(claims))}" if claims else " which is empty"
            text = f'Not found: "{name}": must be one of the names in pod.spec.resourceClaims{rest}'
            errors.append(FieldError(here, "FieldValueNotFound", text))
    return errors


def validate_of_container(container: Object, path: str, spec: Object) -> list[FieldError]:
    errors, resources = [], container.get("resources")
    if resources:
        errors += validate(resources, f"{path}.resources")
        if resources.get("claims"):
            claims = {one.get("name", "") for one in spec.get("resourceClaims") or ()}
            errors += _claims(resources, f"{path}.resources.claims", claims)
    if container.get("resizePolicy"):
        never = spec.get("restartPolicy") == "Never"
        errors += _resize_policy(container["resizePolicy"], f"{path}.resizePolicy", never_restarts=never)
    return errors


def _resize_policy(policies: list[Object], path: str, *, never_restarts: bool) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for index, one in enumerate(policies):
        name, policy = one.get("resourceName", ""), one.get("restartPolicy", "")
        if name in seen:
            errors.append(fields.duplicate(f"{path}[{index}]", name))
        seen.add(name)
        errors += fields.check_one_of(path, name, _RESIZED)
        errors += fields.check_one_of(path, policy, _RESIZE_POLICIES)
        if never_restarts and policy != "NotRequired":
            errors.append(fields.invalid(path, policy, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
    return errors


def validate_of_pod(spec: Object, path: str) -> list[FieldError]:
    """What the pod as a whole asks for: at least what its containers do, and no container more than all may have."""
    resources, here = spec["resources"], f"{path}.resources"
    errors: list[FieldError] = []
    if resources.get("claims") is not None:
        errors.append(fields.forbidden(f"{here}.claims", "claims cannot be set for Resources at pod-level"))
    for which in ("limits", "requests"):
        for name in resources.get(which) or {}:
            if not pod_resources.is_of_pods(name):
                errors.append(fields.not_supported(f"{here}.{which}[{name}]", name, pod_resources.OF_PODS))
    if errors:
        return errors
    errors += validate(resources, here)
    own = resources.get("requests") or {}
    for name, asked in pod_resources.aggregate_requests(spec).items():
        if quantities.compare(asked, own.get(name, "0")) > 0:
            text = f"must be greater than or equal to aggregate container requests of {asked}"
            errors.append(fields.invalid(f"{here}.requests[{name}]", str(own.get(name, "0")), text))
    most = resources.get("limits") or {}
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in ((container.get("resources") or {}).get("limits") or {}).items():
            if name in most and quantities.compare(limit, most[name]) > 0:
                text = f"must be less than or equal to pod limits of {most[name]}"
                errors.append(fields.invalid(f"{here}.containers[{index}][{name}].limits", str(limit), text))
    return errors
