"""ValidatingAdmissionPolicy, MutatingAdmissionPolicy and their bindings: what they may say.

Expressions are compiled when a policy is written; a policy that an older release let in may stay as it is.
Source: upstream's pkg/apis/admissionregistration/validation.
"""

import re
from collections.abc import Sequence

from steersman.api.cel import escaping, types
from steersman.api.cel.environment import Environment
from steersman.api.cel.types import BOOL, NULL, STRING, Type
from steersman.api.policies import messages, validating
from steersman.api.policies.evaluation import Composition, Expression
from steersman.api.validation import admission_rules, fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

Errors = list[FieldError]

FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
ACTIONS = ("Audit", "Deny", "Warn")
NOT_FOUND_ACTIONS = ("Allow", "Deny")
REINVOCATION_POLICIES = ("IfNeeded", "Never")
PATCH_TYPES = ("ApplyConfiguration", "JSONPatch")
MUTABLE = ("*", "CONNECT", "CREATE", "UPDATE")
ANNOTATIONS_MAX = 20
ANNOTATION_EXPRESSION_BYTES_MAX = 5 * 1024
PATCHES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
_RETURNS: dict[str, Type] = {
    "ApplyConfiguration": messages.OBJECT_TYPE,
    "JSONPatch": types.list_of(messages.PATCH_TYPE),
}
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII).fullmatch


def validate_validating(new: Object, old: Object | None) -> Errors:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    if old is not None and spec == old.get("spec"):
        return errors
    composition, of_variables = _composed(spec, mutates=False)
    errors += _common(spec, of_variables)
    validations, annotations = spec.get("validations") or (), spec.get("auditAnnotations") or ()
    if not validations and not annotations:
        why = "validations or auditAnnotations must contain at least one item"
        return [*errors, fields.required("spec.validations", why), fields.required("spec.auditAnnotations", why)]
    for index, validation in enumerate(validations):
        errors += _validation(validation, composition, f"spec.validations[{index}]")
    return errors + _annotations(annotations, new["metadata"].get("name", ""), composition.environment())


def validate_mutating(new: Object, old: Object | None) -> Errors:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    if old is not None and spec == old.get("spec"):
        return errors
    composition, of_variables = _composed(spec, mutates=True)
    errors += _common(spec, of_variables)
    errors += _mutable(spec.get("matchConstraints"), "spec.matchConstraints")
    mutations = spec.get("mutations") or ()
    if not mutations:
        errors.append(fields.required("spec.mutations", "mutations must contain at least one item"))
    environment = composition.environment()
    for index, mutation in enumerate(mutations):
        errors += _mutation(mutation, environment, f"spec.mutations[{index}]")
    reinvocation = spec.get("reinvocationPolicy")
    return errors + fields.check_one_of("spec.reinvocationPolicy", reinvocation, REINVOCATION_POLICIES)


def validate_validating_binding(new: Object, old: Object | None) -> Errors:
    spec = new.get("spec") or {}
    errors = _binding(new, old, "spec.matchResouces")  # upstream's spelling
    return errors + _actions(spec.get("validationActions") or [])


def validate_mutating_binding(new: Object, old: Object | None) -> Errors:
    path = "spec.matchResources"
    return _binding(new, old, path) + _mutable((new.get("spec") or {}).get("matchResources"), path)


# What both kinds of policies have.


def _composed(spec: Object, *, mutates: bool) -> tuple[Composition, Errors]:
    composition = validating.compose(spec, mutates=mutates)
    errors: Errors = []
    for index, variable in enumerate(spec.get("variables") or ()):
        errors += _variable(variable, composition, f"spec.variables[{index}]")
    return composition, errors


def _variable(variable: Object, composition: Composition, path: str) -> Errors:
    errors: Errors = []
    name, text = variable.get("name") or "", variable.get("expression") or ""
    if not name.strip():
        errors.append(fields.required(f"{path}.name", "name is not specified"))
    elif not _IDENTIFIER(name) or name in escaping.RESERVED:
        errors.append(fields.invalid(f"{path}.name", name, "name is not a valid CEL identifier"))
    if not text.strip():
        return [*errors, fields.required(f"{path}.expression", "expression is not specified")]
    return errors + _wrong(composition.expressions[name], f"{path}.expression")


def _common(spec: Object, of_variables: Errors) -> Errors:
    errors = fields.check_one_of("spec.failurePolicy", spec.get("failurePolicy"), FAILURE_POLICIES)
    if spec.get("paramKind") is not None:
        errors += _param_kind(spec["paramKind"], "spec.paramKind")
    constraints = spec.get("matchConstraints")
    if constraints is None:
        errors.append(fields.required("spec.matchConstraints"))
    else:
        errors += _match_resources(constraints, "spec.matchConstraints")
        if not constraints.get("resourceRules"):
            errors.append(fields.required("spec.matchConstraints.resourceRules"))
    has_params = spec.get("paramKind") is not None
    conditions = spec.get("matchConditions") or ()
    return errors + admission_rules.conditions(conditions, "spec.matchConditions", has_params=has_params) + of_variables


def _param_kind(kind: Object, path: str) -> Errors:
    errors: Errors = []
    api_version, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    if not api_version:
        errors.append(fields.required(f"{path}.apiVersion"))
    elif api_version.count("/") > 1:
        why = f"unexpected GroupVersion string: {api_version}"
        errors.append(fields.invalid(f"{path}.apiVersion", api_version, why))
    else:
        group, _, version = api_version.rpartition("/")
        if group and (wrong := names.subdomain_errors(group)):
            errors.append(fields.invalid(f"{path}.apiVersion", group, ",".join(wrong)))
        if not version:
            errors.append(fields.invalid(f"{path}.apiVersion", api_version, "version must be specified"))
        elif wrong := names.label_1035_errors(version):
            errors.append(fields.invalid(f"{path}.apiVersion", version, ",".join(wrong)))
    if not name:
        errors.append(fields.required(f"{path}.kind"))
    elif wrong := names.label_1035_errors(name.lower()):
        why = f"may have mixed case, but should otherwise match: {','.join(wrong)}"
        errors.append(fields.invalid(f"{path}.kind", name, why))
    return errors


def _match_resources(match: Object, path: str) -> Errors:
    errors = fields.check_one_of(f"{path}.matchPolicy", match.get("matchPolicy"), MATCH_POLICIES)
    for field in ("namespaceSelector", "objectSelector"):
        if match.get(field) is None:
            errors.append(fields.required(f"{path}.{field}"))
        else:
            errors += metadata.label_selector(match[field], f"{path}.{field}")
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(field) or ()):
            errors += _named_rule(rule, f"{path}.{field}[{index}]")
    return errors


def _named_rule(rule: Object, path: str) -> Errors:
    errors: Errors = []
    listed: Sequence[str] = rule.get("resourceNames") or ()
    for index, name in enumerate(listed):
        errors += fields.each_invalid(f"{path}.resourceNames[{index}]", name, names.path_segment_errors(name))
        if name in listed[:index]:
            errors.append(fields.duplicate(f"{path}.resourceNames[{index}]", name))
    return errors + admission_rules.rule(rule, path)


def _wrong(expression: Expression, path: str) -> Errors:
    return [fields.invalid(path, expression.text, expression.error)] if expression.error else []


# Validations.


def _validation(validation: Object, composition: Composition, path: str) -> Errors:
    errors: Errors = []
    text, message, expression = (validation.get(name) or "" for name in ("expression", "message", "messageExpression"))
    if not text.strip():
        errors.append(fields.required(f"{path}.expression", "expression is not specified"))
    else:
        errors += _wrong(Expression(text, composition.environment(), (BOOL,)), f"{path}.expression")
    if expression and not expression.strip():
        why = "must be non-empty if specified"
        errors.append(fields.invalid(f"{path}.messageExpression", expression, why))
    elif expression:
        found = Expression(expression, composition.environment(authorizer=False), (STRING,))
        errors += _wrong(found, f"{path}.messageExpression")
    if message and not message.strip():
        errors.append(fields.invalid(f"{path}.message", message, "message must be non-empty if specified"))
    elif re.search(r"[\n\r]", message.strip()):
        errors.append(fields.invalid(f"{path}.message", message, "message must not contain line breaks"))
    reason = validation.get("reason")
    if reason is not None and reason not in REASONS:
        errors.append(fields.not_supported(f"{path}.reason", reason, REASONS))
    return errors


def _annotations(annotations: Sequence[Object], name: str, environment: Environment) -> Errors:
    errors: Errors = []
    path = "spec.auditAnnotations"
    if len(annotations) > ANNOTATIONS_MAX:
        why = f"must not have more than {ANNOTATIONS_MAX} auditAnnotations"
        errors.append(fields.invalid(path, list(annotations), why))
    seen: set[str] = set()
    for index, annotation in enumerate(annotations):
        key, text = annotation.get("key") or "", (annotation.get("valueExpression") or "").strip()
        at = f"{path}[{index}]"
        whole = f"{name}/{key}"
        errors += fields.each_invalid(f"{at}.key", whole, names.qualified_name_errors(whole))
        if not text:
            errors.append(fields.required(f"{at}.valueExpression", "valueExpression is not specified"))
        elif len(text.encode()) > ANNOTATION_EXPRESSION_BYTES_MAX:
            why = f"must not exceed {ANNOTATION_EXPRESSION_BYTES_MAX} bytes in length"
            errors.append(fields.required(f"{at}.valueExpression", why))
        else:
            errors += _wrong(Expression(text, environment, (STRING, NULL)), f"{at}.valueExpression")
        if key in seen:
            errors.append(fields.duplicate(f"{at}.key", key))
        seen.add(key)
    return errors


# Mutations.


def _mutation(mutation: Object, environment: Environment, path: str) -> Errors:
    kind = mutation.get("patchType")
    errors = fields.check_one_of(f"{path}.patchType", kind, PATCH_TYPES)
    for one, field in PATCHES.items():
        given = mutation.get(field)
        if given is None:
            if one == kind:
                errors.append(fields.required(f"{path}.{field}", f"must be specified when patchType is {kind}"))
        elif one != kind:
            why = f"must not be specified when patchType is {kind}"
            errors.append(fields.invalid(f"{path}.{field}", f"{{{field}}}", why))
        elif not (given.get("expression") or "").strip():
            errors.append(fields.required(f"{path}.{field}.expression"))
        else:
            found = Expression(given["expression"], environment, (_RETURNS[one],))
            errors += _wrong(found, f"{path}.{field}.expression")
    return errors


def _mutable(match: Object | None, path: str) -> Errors:
    """A deletion has no object that could be changed. Upstream names the field without its places."""
    rules = (match or {}).get("resourceRules") or ()
    listed = [operation for rule in rules for operation in rule.get("operations") or ()]
    at = f"{path}.resourceRules.operations"
    return [fields.not_supported(at, one, MUTABLE) for one in listed if one not in MUTABLE]


# Bindings.


def _binding(new: Object, old: Object | None, match_path: str) -> Errors:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    errors += fields.check_name("spec.policyName", spec.get("policyName"), names.subdomain_errors)
    errors += _param_ref(spec.get("paramRef"), "spec.paramRef")
    if spec.get("matchResources") is not None:
        errors += _match_resources(spec["matchResources"], match_path)
    return errors


def _actions(actions: list[str]) -> Errors:
    path = "spec.validationActions"
    errors: Errors = []
    for index, action in enumerate(actions):
        if action not in ACTIONS:
            errors.append(fields.not_supported(f"{path}[{index}]", action, ACTIONS))
        if action in actions[:index]:
            errors.append(fields.duplicate(f"{path}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        why = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response "
            "and headers serves no purpose)"
        )
        errors.append(fields.invalid(path, actions, why))
    if not actions:
        errors.append(fields.required(path, "at least one validation action is required"))
    return errors


def _param_ref(ref: Object | None, path: str) -> Errors:
    if ref is None:
        return []
    errors: Errors = []
    name, selector = ref.get("name") or "", ref.get("selector")
    exclusive = "name and selector are mutually exclusive"
    if name:
        errors += fields.each_invalid(f"{path}.name", name, names.path_segment_errors(name))
        if selector is not None:
            errors.append(fields.forbidden(f"{path}.name", exclusive))
    if selector is not None:
        errors += metadata.label_selector(selector, f"{path}.selector")
        if name:
            errors.append(fields.forbidden(f"{path}.selector", exclusive))
    if not name and selector is None:
        errors.append(fields.required(path, "one of name or selector must be specified"))
    action = ref.get("parameterNotFoundAction")
    return errors + fields.check_one_of(f"{path}.parameterNotFoundAction", action, NOT_FOUND_ACTIONS)
