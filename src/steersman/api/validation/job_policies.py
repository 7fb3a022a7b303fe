"""What a Job counts as a failure (`podFailurePolicy`) and as enough success (`successPolicy`)."""

from typing import Any

from steersman.api.validation import fields
from steersman.meta import indexes, names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_RULES_MAX = 20
_EXIT_CODES_MAX = 255
_CONDITIONS_MAX = 20
_SUCCEEDED_INDEXES_MAX = 64 * 1024
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")


def validate_failure_policy(spec: Object, path: str) -> list[FieldError]:
    rules = (spec.get("podFailurePolicy") or {}).get("rules") or []
    errors = []
    if len(rules) > _RULES_MAX:
        errors.append(fields.too_many(f"{path}.rules", len(rules), _RULES_MAX))
    of_pod = (spec.get("template") or {}).get("spec") or {}
    containers = {one.get("name") for one in (*(of_pod.get("containers") or ()), *(of_pod.get("initContainers") or ()))}
    for index, rule in enumerate(rules):
        errors += _rule(spec, rule, f"{path}.rules[{index}]", containers)
    return errors


def _rule(spec: Object, rule: Object, path: str, containers: set[Any]) -> list[FieldError]:
    action = rule.get("action") or ""
    errors = []
    if not action:
        errors.append(fields.required(f"{path}.action", _valid(_ACTIONS)))
    elif action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            errors.append(fields.invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set"))
    elif action not in _ACTIONS:
        errors.append(fields.not_supported(f"{path}.action", action, _ACTIONS))
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        errors += _exit_codes(codes, f"{path}.onExitCodes", containers)
    errors += _conditions(conditions, f"{path}.onPodConditions")
    if codes is not None and conditions:
        text = "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"
        errors.append(FieldError(path, "FieldValueInvalid", text))
    if codes is None and not conditions:
        text = "Invalid value: specifying one of OnExitCodes and OnPodConditions is required"
        errors.append(FieldError(path, "FieldValueInvalid", text))
    return errors


def _exit_codes(codes: Object, path: str, containers: set[Any]) -> list[FieldError]:
    operator, values = codes.get("operator") or "", codes.get("values") or []
    errors = []
    if not operator:
        errors.append(fields.required(f"{path}.operator", _valid(_OPERATORS)))
    elif operator not in _OPERATORS:
        errors.append(fields.not_supported(f"{path}.operator", operator, _OPERATORS))
    name = codes.get("containerName")
    if name is not None and name not in containers:
        text = "must be one of the container or initContainer names in the pod template"
        errors.append(fields.invalid(f"{path}.containerName", name, text))
    if not values:
        errors.append(fields.invalid(f"{path}.values", values, "at least one value is required"))
    elif len(values) > _EXIT_CODES_MAX:
        errors.append(fields.too_many(f"{path}.values", len(values), _EXIT_CODES_MAX))
    for index, value in enumerate(values):
        here = f"{path}.values[{index}]"
        if operator == "In" and value == 0:
            errors.append(fields.invalid(here, value, "must not be 0 for the In operator"))
        if value in values[:index]:
            errors.append(fields.duplicate(here, value))
    if values != sorted(values):
        errors.append(fields.invalid(f"{path}.values", values, "must be ordered"))
    return errors


def _conditions(patterns: list[Object], path: str) -> list[FieldError]:
    errors = []
    if len(patterns) > _CONDITIONS_MAX:
        errors.append(fields.too_many(path, len(patterns), _CONDITIONS_MAX))
    for index, pattern in enumerate(patterns):
        here, name, status = f"{path}[{index}]", pattern.get("type", ""), pattern.get("status") or ""
        errors += fields.each_invalid(f"{here}.type", name, names.qualified_name_errors(name))
        if not status:
            errors.append(fields.required(f"{here}.status", _valid(_STATUSES)))
        elif status not in _STATUSES:
            errors.append(fields.not_supported(f"{here}.status", status, _STATUSES))
    return errors


def validate_success_policy(spec: Object, path: str) -> list[FieldError]:
    rules = (spec.get("successPolicy") or {}).get("rules") or []
    errors = []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        errors.append(fields.required(f"{path}.rules", text))
    if len(rules) > _RULES_MAX:
        errors.append(fields.too_many(f"{path}.rules", len(rules), _RULES_MAX))
    for index, rule in enumerate(rules):
        errors += _success_rule(rule, f"{path}.rules[{index}]", spec.get("completions") or 0)
    return errors


def _success_rule(rule: Object, path: str, completions: int) -> list[FieldError]:
    listed, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    errors = []
    if listed is None and count is None:
        errors.append(fields.required(path, "at least one of succeededCount or succeededIndexes must be specified"))
    total = 0
    if listed is not None:
        if len(listed) > _SUCCEEDED_INDEXES_MAX:
            errors.append(fields.too_long(f"{path}.succeededIndexes", _SUCCEEDED_INDEXES_MAX))
        try:
            total = indexes.count(indexes.parse(listed, completions))
        except indexes.IndexesError as why:
            text = f"error parsing succeededIndexes: {why}"
            errors.append(fields.invalid(f"{path}.succeededIndexes", listed, text))
    if count is not None:
        here = f"{path}.succeededCount"
        errors += fields.check_not_negative(here, count)
        if count > completions:
            text = f"must be less than or equal to {completions} (the number of specified completions)"
            errors.append(fields.invalid(here, count, text))
        if listed is not None and count > total:
            text = (
                f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            )
            errors.append(fields.invalid(here, count, text))
    return errors


def _valid(values: tuple[str, ...]) -> str:
    """As Go prints a list of quoted strings."""
    return "valid values: [" + " ".join(f'"{value}"' for value in values) + "]"
