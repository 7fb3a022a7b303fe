"""Workloads, PodGroups and CompositePodGroups, from their field documentation."""

from collections.abc import Iterable

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

TEMPLATES_MAX = 8
_PREEMPTION = ("Never", "PreemptLowerPriority")
_POSITIVE = "must be greater than 0"


def validate_workload(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    errors += _one_of(spec, ("podGroupTemplates", "compositePodGroupTemplates"), "spec")
    for field in ("podGroupTemplates", "compositePodGroupTemplates"):
        errors += _templates(spec.get(field) or [], f"spec.{field}")
    reference = spec.get("controllerRef")
    if reference is not None:
        errors += _reference(reference, "spec.controllerRef")
    if old is not None:
        before = old.get("spec") or {}
        errors += fields.check_immutable("spec.controllerRef", reference, before.get("controllerRef"))
        for field in ("podGroupTemplates", "compositePodGroupTemplates"):
            errors += _same_templates(spec.get(field) or [], before.get(field) or [], f"spec.{field}")
    return errors


def validate_pod_group(new: Object, old: Object | None) -> list[FieldError]:
    errors = [*metadata.validate(new, old), *_group(new, old)]
    if old is None:
        errors += _claims((new.get("spec") or {}).get("resourceClaims") or [], "spec.resourceClaims")
    return errors


def validate_composite_pod_group(new: Object, old: Object | None) -> list[FieldError]:
    return [*metadata.validate(new, old), *_group(new, old)]


def _group(new: Object, old: Object | None) -> list[FieldError]:
    """What may change afterwards is the size of a gang."""
    spec = new.get("spec") or {}
    errors = _placing(spec, "spec")
    reference, parent = spec.get("workloadRef"), spec.get("parentCompositePodGroupName")
    if reference is not None:
        errors += fields.check_name(
            "spec.workloadRef.workloadName", reference.get("workloadName"), names.subdomain_errors
        )
        errors += fields.check_name("spec.workloadRef.templateName", reference.get("templateName"), names.label_errors)
    errors += fields.check_optional_name("spec.parentCompositePodGroupName", parent, names.subdomain_errors)
    if old is not None:
        before = old.get("spec") or {}
        for field in sorted({*spec, *before}):
            errors += fields.check_immutable(f"spec.{field}", _fixed(spec).get(field), _fixed(before).get(field))
    return errors


def _fixed(spec: Object) -> Object:
    """The spec without the sizes of gangs."""
    gang = (spec.get("schedulingPolicy") or {}).get("gang")
    if gang is None:
        return spec
    kept = {name: value for name, value in gang.items() if name not in ("minCount", "minGroupCount")}
    return {**spec, "schedulingPolicy": {**spec["schedulingPolicy"], "gang": kept}}


def _templates(templates: list[Object], path: str) -> list[FieldError]:
    errors = [fields.too_many(path, len(templates), TEMPLATES_MAX)] if len(templates) > TEMPLATES_MAX else []
    seen: set[str] = set()
    for index, template in enumerate(templates):
        where, name = f"{path}[{index}]", template.get("name", "")
        errors += fields.check_name(f"{where}.name", name, names.label_errors)
        if name in seen:
            errors.append(fields.duplicate(where, name))
        seen.add(name)
        errors += [
            *_placing(template, where),
            *_claims(template.get("resourceClaims") or [], f"{where}.resourceClaims"),
        ]
        for inner in ("podGroupTemplates", "compositePodGroupTemplates"):
            errors += _templates(template.get(inner) or [], f"{where}.{inner}")
    return errors


def _same_templates(new: list[Object], old: list[Object], path: str) -> list[FieldError]:
    if [one.get("name") for one in new] != [one.get("name") for one in old]:
        return [fields.invalid(path, new, "templates cannot be added or removed")]
    errors = []
    for index, (now, before) in enumerate(zip(new, old, strict=True)):
        if _fixed(now) != _fixed(before):
            errors.append(fields.invalid(f"{path}[{index}]", now, fields.IMMUTABLE))
    return errors


def _placing(spec: Object, path: str) -> list[FieldError]:
    """What groups and their templates have in common."""
    policy, mode = spec.get("schedulingPolicy"), spec.get("disruptionMode")
    if policy is None:
        errors = [fields.required(f"{path}.schedulingPolicy")]
    else:
        errors = _one_of(policy, ("basic", "gang"), f"{path}.schedulingPolicy")
        errors += _gang(policy.get("gang"), f"{path}.schedulingPolicy.gang")
    if mode is not None:
        errors += _one_of(mode, ("single", "all"), f"{path}.disruptionMode")
    preemption, priority = spec.get("preemptionPolicy"), spec.get("priorityClassName")
    errors += fields.check_one_of(f"{path}.preemptionPolicy", preemption, _PREEMPTION, needed=False)
    errors += fields.check_optional_name(f"{path}.priorityClassName", priority, names.subdomain_errors)
    topology = (spec.get("schedulingConstraints") or {}).get("topology") or []
    where = f"{path}.schedulingConstraints.topology"
    if len(topology) > 1:
        errors.append(fields.too_many(where, len(topology), 1))
    for index, one in enumerate(topology):
        errors += fields.check_name(f"{where}[{index}].key", one.get("key"), names.qualified_name_errors)
    return errors


def _gang(gang: Object | None, path: str) -> list[FieldError]:
    errors = []
    for field in ("minCount", "minGroupCount"):
        if gang is not None and field in gang and gang[field] <= 0:
            errors.append(fields.invalid(f"{path}.{field}", gang[field], _POSITIVE))
    if gang is not None and not gang:
        errors.append(fields.required(f"{path}.minCount"))
    return errors


def _claims(claims: list[Object], path: str) -> list[FieldError]:
    errors = fields.check_unique(lambda index: f"{path}[{index}].name", [one.get("name", "") for one in claims])
    for index, one in enumerate(claims):
        errors += fields.check_name(f"{path}[{index}].name", one.get("name"), names.label_errors)
        errors += _one_of(one, ("resourceClaimName", "resourceClaimTemplateName"), f"{path}[{index}]")
    return errors


def _reference(reference: Object, path: str) -> list[FieldError]:
    errors = fields.check_optional_name(f"{path}.apiGroup", reference.get("apiGroup"), names.subdomain_errors)
    for field in ("kind", "name"):
        errors += fields.check_name(f"{path}.{field}", reference.get(field), names.path_segment_errors)
    return errors


def _one_of(obj: Object, members: Iterable[str], path: str) -> list[FieldError]:
    members = tuple(members)
    given = [name for name in members if obj.get(name) is not None]
    if len(given) == 1:
        return []
    listed = ", ".join(f"`{name}`" for name in members)
    if not given:
        return [fields.required(path, f"must specify one of: {listed}")]
    text = f"must specify exactly one of: {listed}"
    return [fields.invalid(path, "{" + ", ".join(given) + "}", text)]
