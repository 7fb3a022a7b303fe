"""Which `x-kubernetes-validations` a definition may have: they compile, and are sure to cost little enough.

Source: apiextensions' ValidateCustomResourceDefinitionOpenAPISchema and cel_validation.go.
"""

import dataclasses
import re

import orjson

from steersman.api.cel import schemas
from steersman.api.cel.schemas import Declaration
from steersman.api.custom import expression_paths, expressions, structure
from steersman.api.validation import fields
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

RULE_COST_MAX = 10_000_000
"""Upstream's StaticEstimatedCostLimit: what one rule may cost at worst, all its places in an object together."""

SCHEMA_COST_MAX = 100_000_000
"""Upstream's StaticEstimatedCRDCostLimit: the same of all rules of a schema."""

MESSAGE_MAX = 2048  # characters
_EXPENSIVE_MAX = 4  # rules that are named when the whole costs too much
_UINT_MAX = 2**64 - 1
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_HINT = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"

Errors = list[FieldError]


@dataclasses.dataclass(slots=True)
class _Total:
    """What the rules seen so far cost, and which cost the most."""

    cost: int = 0
    expensive: list[tuple[int, str]] = dataclasses.field(default_factory=list)

    def add(self, path: str, cost: int) -> None:
        self.cost = min(self.cost + cost, _UINT_MAX)
        if cost >= SCHEMA_COST_MAX // 100:
            self.expensive.append((cost, path))
            self.expensive.sort(key=lambda one: -one[0])
            del self.expensive[_EXPENSIVE_MAX:]


@dataclasses.dataclass(frozen=True, slots=True)
class _Context:
    """Where in a schema. `times`: how often a value may stand here, None for any number of times.

    `uncorrelated` is the outermost list or map below which old values cannot be told, "" for none.
    """

    declaration: Declaration | None
    times: int | None = 1
    uncorrelated: str = ""


def validate_texts(schema: Object, path: str) -> Errors:
    """What can be said of the rules of one schema without compiling them."""
    errors: Errors = []
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        errors += _texts(rule, schema, f"{path}.x-kubernetes-validations[{index}]")
    return errors


def _texts(rule: Object, schema: Object, at: str) -> Errors:
    errors: Errors = []
    text, message, expression = (rule.get(name) or "" for name in ("rule", "message", "messageExpression"))
    if not text.strip():
        errors.append(fields.required(f"{at}.rule", "rule is not specified"))
    elif message and not message.strip():
        errors.append(fields.invalid(f"{at}.message", message, "message must be non-empty if specified"))
    elif len(message) > MESSAGE_MAX:
        why = f"message must have a maximum length of {MESSAGE_MAX} characters"
        errors.append(fields.invalid(f"{at}.message", message[:10] + "...", why))
    elif _has_newlines(message.strip()):
        errors.append(fields.invalid(f"{at}.message", message, "message must not contain line breaks"))
    elif _has_newlines(text.strip()) and not message.strip():
        errors.append(fields.required(f"{at}.message", "message must be specified if rule contains line breaks"))
    if expression and not expression.strip():
        why = "messageExpression must be non-empty if specified"
        errors.append(fields.required(f"{at}.messageExpression", why))
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        errors.append(fields.not_supported(f"{at}.reason", reason, _REASONS))
    return errors + _field_path(rule.get("fieldPath") or "", schema, f"{at}.fieldPath")


def _field_path(path: str, schema: Object, at: str) -> Errors:
    if not path:
        return []
    errors: Errors = []
    if not path.strip():
        errors.append(fields.invalid(at, path, "fieldPath must be non-empty if specified"))
    if _has_newlines(path):
        errors.append(fields.invalid(at, path, "fieldPath must not contain line breaks"))
    try:
        expression_paths.normalized(path, schema)
    except expression_paths.Wrong:
        errors.append(fields.invalid(at, path, "fieldPath must be a valid path"))
    return errors


def _has_newlines(text: str) -> bool:
    return re.search(r"[\n\r]", text) is not None


def validate(schema: Object, path: str) -> Errors:
    """Compiles all rules of a schema that is structural, and adds up what they cost."""
    if not expressions.has_rules(schema):
        return []
    errors: Errors = []
    total = _Total()
    _walk(schema, path, _Context(schemas.declare(schema, "selfType", is_root=True)), total, errors)
    if total.cost > SCHEMA_COST_MAX:
        why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        errors += [fields.forbidden(at, why) for _, at in total.expensive]
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        errors.append(fields.forbidden(path, _too_expensive(what, total.cost, SCHEMA_COST_MAX)))
    return errors or _defaults(schema, path)


def _defaults(schema: Object, path: str) -> Errors:
    """Defaults keep the rules of their schema and of all below it."""
    if not expressions.has_rules(schema):
        return []
    errors: Errors = []
    if schema.get("default") is not None:
        run = expressions.Run()
        declaration = schemas.declare(schema, "selfType", is_root=schema.get("x-kubernetes-embedded-resource") is True)
        value = (
            structure.coerce(structure.Node(schema), schema["default"], [])
            if isinstance(schema["default"], dict)
            else schema["default"]
        )
        place = (None, f"{path}.default")
        expressions.Validator(schema, declaration).check(value, expressions.MISSING, run, place, unchanged=False)
        errors += run.errors
    for name, inner in (schema.get("properties") or {}).items():
        errors += _defaults(inner, f"{path}.properties[{name}]")
    for field in ("additionalProperties", "items"):
        if isinstance(schema.get(field), dict):
            errors += _defaults(schema[field], f"{path}.{field}")
    return errors


def _walk(schema: Object, path: str, context: _Context, total: _Total, errors: Errors) -> None:
    if not expressions.has_rules(schema):
        return
    for name, inner in (schema.get("properties") or {}).items():
        _walk(inner, f"{path}.properties[{name}]", _property(schema, name, context, path), total, errors)
    for field in ("additionalProperties", "items"):
        if isinstance(schema.get(field), dict):
            _walk(schema[field], f"{path}.{field}", _element(schema, field, context, path), total, errors)
    for index, inner in enumerate(schema.get("allOf") or ()):
        _rules_of(inner, f"{path}.allOf[{index}]", context, total, errors)
    _rules_of(schema, path, context, total, errors)


def _property(schema: Object, name: str, context: _Context, path: str) -> _Context:
    declaration = None if context.declaration is None else context.declaration.property(name)
    atomic = schema.get("x-kubernetes-map-type") == "atomic"
    return _Context(declaration, context.times, context.uncorrelated or (path if atomic else ""))


def _element(schema: Object, field: str, context: _Context, path: str) -> _Context:
    """Only the items of lists with keys and the entries of maps are known by something else than their place."""
    declaration = None if context.declaration is None else context.declaration.element
    limit = schema.get("maxItems" if field == "items" else "maxProperties")
    times = None if limit is None or context.times is None else min(context.times * max(int(limit), 0), _UINT_MAX)
    if context.uncorrelated or _is_known_by_key(schema, field):
        return _Context(declaration, times, context.uncorrelated)
    return _Context(declaration, times, path)


def _is_known_by_key(schema: Object, field: str) -> bool:
    if field == "items":
        return schema.get("x-kubernetes-list-type") == "map"
    return schema.get("x-kubernetes-map-type") != "atomic"


def _rules_of(schema: Object, path: str, context: _Context, total: _Total, errors: Errors) -> None:
    given = schema.get("x-kubernetes-validations") or ()
    if not given:
        return
    at = f"{path}.x-kubernetes-validations"
    if context.declaration is None:
        why = "internal error: failed to retrieve type information for x-kubernetes-validations"
        errors.append(FieldError(at, "InternalError", f"Internal error: {why}"))
        return
    times = context.times
    if times is None:
        times = schemas.cardinality_max(context.declaration)
    for index, one in enumerate(given):
        rule = expressions.Rule(one, context.declaration)
        errors += _costs(rule, f"{at}[{index}]", times, total)
        errors += _meaning(rule, f"{at}[{index}]", context)


def _costs(rule: expressions.Rule, at: str, times: int, total: _Total) -> Errors:
    errors: Errors = []
    once = rule.cost_max()
    for name, what, cost in (
        ("rule", "estimated rule cost", min(once * times, _UINT_MAX)),
        ("messageExpression", "estimated messageExpression cost", rule.message_cost_max()),
    ):
        if cost > RULE_COST_MAX:
            errors.append(fields.forbidden(f"{at}.{name}", _too_expensive(what, cost, RULE_COST_MAX)))
        if cost:
            total.add(f"{at}.{name}", cost)
    return errors


def _meaning(rule: expressions.Rule, at: str, context: _Context) -> Errors:
    errors: Errors = []
    given = _shown(rule.given)
    if rule.error:
        errors.append(_invalid(f"{at}.rule", given, rule.error))
    if rule.message_error:
        errors.append(_invalid(f"{at}.messageExpression", given, rule.message_error))
    if rule.uses_old:
        if context.uncorrelated:
            why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {context.uncorrelated}"
            errors.append(fields.invalid(f"{at}.rule", rule.given["rule"], why))
    elif rule.program is not None and rule.given.get("optionalOldSelf") is not None:
        why = "may not be set if oldSelf is not used in rule"
        errors.append(fields.invalid(f"{at}.optionalOldSelf", rule.given["optionalOldSelf"], why))
    return errors


def _invalid(at: str, shown: str, detail: str) -> FieldError:
    return FieldError(at, "FieldValueInvalid", f"Invalid value: {shown}: {detail}")


def _shown(rule: Object) -> str:
    """A whole rule, as upstream prints the record it keeps of one."""
    names = {
        "rule": "",
        "message": "",
        "messageExpression": "",
        "reason": None,
        "fieldPath": "",
        "optionalOldSelf": None,
    }
    record = {f"{name[0].upper()}{name[1:]}": rule.get(name, empty) for name, empty in names.items()}
    return orjson.dumps(record).decode()


def _too_expensive(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {shown} {_HINT}"
