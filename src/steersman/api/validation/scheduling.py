"""Where a pod may run: node selector, affinity, tolerations, spreading, scheduling gates."""

from collections.abc import Iterable
from typing import Any

from steersman.api.validation import fields, metadata
from steersman.meta import labels, names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSIONS = ("Honor", "Ignore")

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def validate(spec: Object, path: str) -> list[FieldError]:
    errors = labels.validate(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    errors += validate_tolerations(spec.get("tolerations") or (), f"{path}.tolerations")
    errors += _gates(spec.get("schedulingGates") or (), f"{path}.schedulingGates")
    if spec.get("schedulingGroup") is not None:
        errors += _group(spec["schedulingGroup"], f"{path}.schedulingGroup")
    if spec.get("affinity"):
        errors += _affinity(spec["affinity"], f"{path}.affinity")
    if spec.get("topologySpreadConstraints"):
        errors += _spreading(spec["topologySpreadConstraints"], f"{path}.topologySpreadConstraints")
    return errors


def _group(group: Object, path: str) -> list[FieldError]:
    if group.get("podGroupName") is None:
        return [fields.required(path, "must specify one of: `podGroupName`")]
    return fields.check_name(f"{path}.podGroupName", group["podGroupName"], names.subdomain_errors)


def validate_tolerations(tolerations: Iterable[Object], path: str) -> list[FieldError]:
    errors = []
    for index, toleration in enumerate(tolerations):
        here = f"{path}[{index}]"
        key, operator = toleration.get("key", ""), toleration.get("operator") or "Equal"
        value, effect = toleration.get("value", ""), toleration.get("effect", "")
        if key:
            if wrong := names.qualified_name_errors(key):
                errors += fields.each_invalid(f"{here}.key", key, wrong)
        elif operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(fields.invalid(f"{here}.operator", operator, text))
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(fields.invalid(f"{here}.effect", effect, text))
        if operator == "Equal":
            errors += fields.each_invalid(f"{here}.operator", value, names.label_value_errors(value))
        elif operator == "Exists":
            if value:
                text = "value must be empty when `operator` is 'Exists'"
                errors.append(fields.invalid(f"{here}.operator", toleration, text))
        elif operator not in ("Gt", "Lt"):
            errors.append(fields.not_supported(f"{here}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in EFFECTS:
            errors.append(fields.not_supported(f"{here}.effect", effect, EFFECTS))
    return errors


def validate_taints(taints: Iterable[Object], path: str) -> list[FieldError]:
    errors = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        here = f"{path}[{index}]"
        key, effect = taint.get("key", ""), taint.get("effect", "")
        errors += fields.each_invalid(f"{here}.key", key, names.qualified_name_errors(key))
        errors += fields.each_invalid(
            f"{here}.value", taint.get("value", ""), names.label_value_errors(taint.get("value", ""))
        )
        errors += fields.check_one_of(f"{here}.effect", effect, EFFECTS)
        if (key, effect) in seen:
            errors.append(fields.duplicate(here, taint))
        seen.add((key, effect))
    return errors


def validate_node_selector(selector: Object, path: str) -> list[FieldError]:
    terms = selector.get("nodeSelectorTerms") or ()
    errors = []
    if not terms:
        text = "must have at least one node selector term"
        errors.append(fields.required(f"{path}.nodeSelectorTerms", text))
    for index, term in enumerate(terms):
        errors += _node_term(term, f"{path}.nodeSelectorTerms[{index}]")
    return errors


def _gates(gates: Iterable[Object], path: str) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name", "")
        errors += fields.each_invalid(f"{path}[{index}].name", name, names.qualified_name_errors(name))
        if name in seen:
            errors.append(fields.duplicate(f"{path}[{index}].name", name))
        seen.add(name)
    return errors


def _affinity(affinity: Object, path: str) -> list[FieldError]:
    errors = []
    node = affinity.get("nodeAffinity")
    if node:
        errors += _node_affinity(node, f"{path}.nodeAffinity")
    for field in ("podAffinity", "podAntiAffinity"):
        part = affinity.get(field) or {}
        for index, term in enumerate(part.get(_REQUIRED) or ()):
            errors += _pod_term(term, f"{path}.{field}.{_REQUIRED}[{index}]")
        for index, weighted in enumerate(part.get(_PREFERRED) or ()):
            here = f"{path}.{field}.{_PREFERRED}[{index}]"
            errors += _weight(weighted, here)
            errors += _pod_term(weighted.get("podAffinityTerm") or {}, f"{here}.podAffinityTerm")
    return errors


def _node_affinity(affinity: Object, path: str) -> list[FieldError]:
    errors = []
    required = affinity.get(_REQUIRED)
    if required is not None:
        errors += validate_node_selector(required, f"{path}.{_REQUIRED}")
    for index, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        here = f"{path}.{_PREFERRED}[{index}]"
        errors += [*_weight(weighted, here), *_node_term(weighted.get("preference") or {}, f"{here}.preference")]
    return errors


def _weight(weighted: Object, path: str) -> list[FieldError]:
    weight = weighted.get("weight", 0)
    return [] if 1 <= weight <= 100 else [fields.invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _node_term(term: Object, path: str) -> list[FieldError]:
    errors = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        errors += _node_expression(expression, f"{path}.matchExpressions[{index}]")
    for index, expression in enumerate(term.get("matchFields") or ()):
        errors += _field_expression(expression, f"{path}.matchFields[{index}]")
    return errors


def _field_expression(expression: Object, path: str) -> list[FieldError]:
    """Of the node's fields only its name can be asked, for exactly one value."""
    operator, values = expression.get("operator", ""), expression.get("values") or ()
    errors = []
    if operator not in ("In", "NotIn"):
        errors.append(fields.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    elif len(values) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(fields.required(f"{path}.values", text))
    if expression.get("key") != "metadata.name":
        errors.append(fields.invalid(f"{path}.key", expression.get("key", ""), "not a valid field selector key"))
        return errors
    for index, value in enumerate(values):
        errors += fields.each_invalid(f"{path}.values[{index}]", value, names.subdomain_errors(value))
    return errors


def _node_expression(expression: Object, path: str) -> list[FieldError]:
    key, operator, values = expression.get("key", ""), expression.get("operator", ""), expression.get("values") or ()
    errors = []
    match operator:
        case "In" | "NotIn":
            if not values:
                text = "must be specified when `operator` is 'In' or 'NotIn'"
                errors.append(fields.required(f"{path}.values", text))
        case "Exists" | "DoesNotExist":
            if values:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(fields.forbidden(f"{path}.values", text))
        case "Gt" | "Lt":
            if len(values) != 1:
                text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                errors.append(fields.required(f"{path}.values", text))
        case _:
            errors.append(fields.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    return [*errors, *fields.each_invalid(f"{path}.key", key, names.qualified_name_errors(key))]


def _pod_term(term: Object, path: str) -> list[FieldError]:
    errors = metadata.label_selector(term.get("labelSelector"), f"{path}.labelSelector")
    errors += metadata.label_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for index, name in enumerate(term.get("namespaces") or ()):
        errors += fields.each_invalid(f"{path}.namespaces[{index}]", name, names.label_errors(name))
    key = term.get("topologyKey", "")
    if not key:
        errors.append(fields.required(f"{path}.topologyKey", "can not be empty"))
    else:
        errors += fields.each_invalid(f"{path}.topologyKey", key, names.qualified_name_errors(key))
    return errors


def _spreading(constraints: Iterable[Object], path: str) -> list[FieldError]:
    errors = []
    seen: set[tuple[str, Any]] = set()
    for index, constraint in enumerate(constraints):
        here = f"{path}[{index}]"
        skew, key = constraint.get("maxSkew", 0), constraint.get("topologyKey", "")
        if skew <= 0:
            errors.append(fields.invalid(f"{here}.maxSkew", skew, "must be greater than zero"))
        if not key:
            errors.append(fields.required(f"{here}.topologyKey", "can not be empty"))
        errors += fields.check_one_of(f"{here}.whenUnsatisfiable", constraint.get("whenUnsatisfiable"), _UNSATISFIABLE)
        pair = (key, constraint.get("whenUnsatisfiable"))
        if pair in seen:
            shown = f"{{{key}, {pair[1]}}}"
            errors.append(fields.duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", shown))
        seen.add(pair)
        errors += _spreading_details(constraint, here)
        errors += metadata.label_selector(constraint.get("labelSelector"), f"{here}.labelSelector")
    return errors


def _spreading_details(constraint: Object, path: str) -> list[FieldError]:
    errors = []
    domains = constraint.get("minDomains")
    if domains is not None and domains <= 0:
        errors.append(fields.invalid(f"{path}.minDomains", domains, "must be greater than zero"))
    if domains is not None and constraint.get("whenUnsatisfiable") != "DoNotSchedule":
        text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {constraint.get('whenUnsatisfiable')}"
        errors.append(fields.invalid(f"{path}.minDomains", domains, text))
    for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        if constraint.get(field) is not None and constraint[field] not in _INCLUSIONS:
            errors.append(fields.not_supported(f"{path}.{field}", constraint[field], _INCLUSIONS))
    keys = constraint.get("matchLabelKeys") or ()
    selector = constraint.get("labelSelector")
    if keys and selector is None:
        errors.append(fields.forbidden(f"{path}.matchLabelKeys", "must not be specified when labelSelector is not set"))
    chosen = set((selector or {}).get("matchLabels") or ())
    chosen |= {one.get("key", "") for one in (selector or {}).get("matchExpressions") or ()}
    for index, key in enumerate(keys):
        here = f"{path}.matchLabelKeys[{index}]"
        errors += fields.each_invalid(here, key, names.qualified_name_errors(key))
        if key in chosen:
            errors.append(fields.invalid(here, key, "exists in both matchLabelKeys and labelSelector"))
    return errors
