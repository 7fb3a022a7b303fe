"""The parts of webhook configurations that policies have too: rules, match conditions.

Source: upstream's pkg/apis/admissionregistration/validation.
"""

from collections.abc import Sequence

from steersman.api.cel.types import BOOL
from steersman.api.policies import environments, evaluation
from steersman.api.validation import fields
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
CONDITIONS_MAX = 64


def rule(value: Object, path: str) -> list[FieldError]:
    """A RuleWithOperations."""
    operations = value.get("operations") or []
    errors = _several(operations, f"{path}.operations", "operations")
    for index, operation in enumerate(operations):
        if operation not in OPERATIONS:
            errors.append(fields.not_supported(f"{path}.operations[{index}]", operation, OPERATIONS))
    groups, versions = value.get("apiGroups") or [], value.get("apiVersions") or []
    errors += _several(groups, f"{path}.apiGroups", "API groups")
    errors += _several(versions, f"{path}.apiVersions", "API versions")
    errors += [fields.required(f"{path}.apiVersions[{at}]") for at, version in enumerate(versions) if not version]
    errors += _resources(value.get("resources") or [], f"{path}.resources")
    scope = value.get("scope")
    if scope is not None and scope not in SCOPES:
        errors.append(fields.not_supported(f"{path}.scope", scope, SCOPES))
    return errors


def conditions(listed: Sequence[Object], path: str, *, has_params: bool = False) -> list[FieldError]:
    """matchConditions; those of policies with a paramKind may use `params`."""
    errors = []
    if len(listed) > CONDITIONS_MAX:
        errors.append(fields.too_many(path, len(listed), CONDITIONS_MAX))
    seen = set()
    for index, condition in enumerate(listed):
        name, at = condition.get("name") or "", f"{path}[{index}]"
        errors += _condition((condition.get("expression") or "").strip(), f"{at}.expression", has_params=has_params)
        if not name:
            errors.append(fields.required(f"{at}.name"))
            continue
        errors += fields.each_invalid(f"{at}.name", name, names.qualified_name_errors(name))
        if name in seen:
            errors.append(fields.duplicate(f"{at}.name", name))
        seen.add(name)
    return errors


def _condition(text: str, path: str, *, has_params: bool) -> list[FieldError]:
    if not text:
        return [fields.required(path)]
    found = evaluation.Expression(text, environments.of_conditions(has_params=has_params), (BOOL,))
    return [fields.invalid(path, text, found.error)] if found.error else []


def _several(values: list[str], path: str, what: str) -> list[FieldError]:
    """At least one, and nothing beside a star."""
    if not values:
        return [fields.required(path)]
    if len(values) > 1 and "*" in values:
        return [fields.invalid(path, values, f"if '*' is present, must not specify other {what}")]
    return []


def _resources(resources: list[str], path: str) -> list[FieldError]:
    if not resources:
        return [fields.required(path)]
    errors = []
    whole: set[str] = set()  # resources all of whose subresources are listed
    everywhere: set[str] = set()  # subresources listed for all resources
    for index, text in enumerate(resources):
        resource, found, sub = text.partition("/")
        if not text:
            errors.append(fields.required(f"{path}[{index}]"))
        if not found:
            continue
        if resource in whole:
            why = f"if '{resource}/*' is present, must not specify {text}"
            errors.append(fields.invalid(f"{path}[{index}]", text, why))
        if sub in everywhere:
            errors.append(fields.invalid(f"{path}[{index}]", text, f"if '*/{sub}' is present, must not specify {text}"))
        if sub == "*":
            whole.add(resource)
        if resource == "*":
            everywhere.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        errors.append(fields.invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and any("/" not in one and one not in ("", "*") for one in resources):
        why = "if '*' is present, must not specify other resources without subresources"
        errors.append(fields.invalid(path, resources, why))
    return errors
