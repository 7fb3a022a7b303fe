"""The rules of `x-kubernetes-validations`, evaluated on objects.

Keeps true: a rule that looks at `oldSelf` runs only where there is an old value that is surely the same place; a rule that does not
is not asked again about what has not changed (KEP-4008); all rules of an object together stay within a budget.
Source: apiextensions' schema/cel/validation.go and compilation.go.
"""

import functools
import logging
import re
from typing import Any

import orjson

from steersman.api.cel import estimates, schemas, types, values
from steersman.api.cel.environment import Environment, Outcome, Program
from steersman.api.cel.schemas import Declaration
from steersman.api.cel.source import CompileError
from steersman.api.cel.values import NONE, CostExceeded, Optional
from steersman.api.custom import expression_paths
from steersman.api.validation import fields
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

log = logging.getLogger(__name__)

OBJECT_BUDGET = 10_000_000
"""Upstream's RuntimeCELCostBudget: what all rules of one object may cost."""

MESSAGE_BYTES_MAX = 5 * 1024  # of what a messageExpression yields
MISSING: Any = object()  # no older value, where None is JSON's null

# (rest, field), (rest, index) or (rest, (key,)) of a map; None is the object itself.
Place = tuple[Any, "str | int | tuple[str]"] | None

_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


def has_rules(schema: Object) -> bool:
    return b'"x-kubernetes-validations":' in orjson.dumps(schema)


class Rule:
    """One rule, compiled. `error` is why it has no program, `message_error` why its message has none: upstream's words."""

    def __init__(self, given: Object, declaration: Declaration) -> None:
        self.given = given
        self.error = self.message_error = ""
        self.program: Program | None = None
        self.message: Program | None = None
        own = declaration.type
        is_optional = given.get("optionalOldSelf") is True
        environment = Environment({"self": own, "oldSelf": types.optional_of(own) if is_optional else own})
        try:
            self.program = environment.compile(given.get("rule", ""))
        except CompileError as wrong:
            self.error = f"compilation failed: {wrong}"
            return
        if self.program.type.kind != "bool":
            self.program, self.error = None, "cel expression must evaluate to a bool"
            return
        self._declaration = declaration
        if given.get("messageExpression"):
            self._compile_message(environment)

    def _compile_message(self, environment: Environment) -> None:
        try:
            program = environment.compile(self.given["messageExpression"])
        except CompileError as wrong:
            self.message_error = f"messageExpression compilation failed: {wrong}"
            return
        if program.type.kind != "string":
            self.message_error = "messageExpression must evaluate to a string"
            return
        self.message = program

    @functools.cached_property
    def uses_old(self) -> bool:
        return self.program is not None and "oldSelf" in self.program.names()

    @property
    def is_optional(self) -> bool:
        return self.given.get("optionalOldSelf") is True

    def cost_max(self) -> int:
        """At worst, once."""
        return 0 if self.program is None else estimates.of(self.program.root, self._declaration).high

    def message_cost_max(self) -> int:
        return 0 if self.message is None else estimates.of(self.message.root, self._declaration).high

    @property
    def shown(self) -> str:
        return str(self.given.get("message") or self.given.get("rule") or "").strip()

    @functools.cached_property
    def field(self) -> str:
        """Below the place of the rule, as field paths write it; "" for the place itself."""
        path = self.given.get("fieldPath")
        return expression_paths.normalized(path, self._declaration.schema) if path else ""


class Validator:
    """The rules of one schema and of all below it that has any. Made from a schema with rules; compiled when first used."""

    def __init__(self, schema: Object, declaration: Declaration | None, rules_of: Object | None = None) -> None:
        """`rules_of`: the part of `allOf` that has the rules, where it is not the schema itself."""
        self._schema = schema
        self._declaration = declaration
        source = schema if rules_of is None else rules_of
        self._given = source.get("x-kubernetes-validations") or ()
        self._properties = {
            name: made
            for name, inner in (source.get("properties") or {}).items()
            if (made := self._below((schema.get("properties") or {}).get(name), inner, name)) is not None
        }
        self._rest = self._element(source, "additionalProperties")
        self._items = self._element(source, "items")
        self._all_of = [
            Validator(schema, declaration, inner) for inner in source.get("allOf") or () if has_rules(inner)
        ]

    def _below(self, schema: Object | None, source: Object, name: str) -> "Validator | None":
        if schema is None or not has_rules(source):
            return None
        declaration = None if self._declaration is None else self._declaration.property(name)
        return Validator(schema, declaration, None if schema is source else source)

    def _element(self, source: Object, field: str) -> "Validator | None":
        schema, inner = self._schema.get(field), source.get(field)
        if not isinstance(schema, dict) or not isinstance(inner, dict) or not has_rules(inner):
            return None
        declaration = None if self._declaration is None else self._declaration.element
        return Validator(schema, declaration, None if schema is inner else inner)

    @functools.cached_property
    def _rules(self) -> list[Rule]:
        if self._declaration is None:
            return []
        return [Rule(given, self._declaration) for given in self._given]

    def check(
        self, value: Any, old: Any, run: "Run", place: Place, *, unchanged: bool, correlated: bool = True
    ) -> None:
        """`unchanged`: this or something around it is as it was. `correlated`: `old` is what this was."""
        if value is None or run.is_over:
            return
        if correlated and old is not MISSING and not unchanged:
            unchanged = value == old and values.equal(value, old)
        if self._rules:
            self._check_own(value, old, run, place, unchanged=unchanged)
        for inner in self._all_of:
            inner.check(value, old, run, place, unchanged=False, correlated=False)
        if isinstance(value, dict):
            self._check_fields(value, old, run, place, unchanged=unchanged)
        elif isinstance(value, list) and self._items is not None:
            self._check_items(value, old, run, place, unchanged=unchanged)

    def _check_fields(self, value: Object, old: Any, run: "Run", place: Place, *, unchanged: bool) -> None:
        atomic = self._schema.get("x-kubernetes-map-type") == "atomic"
        before = old if isinstance(old, dict) and not atomic else {}
        if self._rest is not None:
            for name, item in value.items():
                self._rest.check(item, before.get(name, MISSING), run, (place, (name,)), unchanged=unchanged)
        for name, inner in self._properties.items():
            if name in value:
                inner.check(value[name], before.get(name, MISSING), run, (place, name), unchanged=unchanged)

    def _check_items(self, value: list[Any], old: Any, run: "Run", place: Place, *, unchanged: bool) -> None:
        assert self._items is not None, "there are rules below"
        keys = self._schema.get("x-kubernetes-list-map-keys") or ()
        is_map = self._schema.get("x-kubernetes-list-type") == "map"
        before = {_keys(item, keys): item for item in old} if is_map and isinstance(old, list) else {}
        for index, item in enumerate(value):
            was = before.get(_keys(item, keys), MISSING) if before else MISSING
            self._items.check(item, was, run, (place, index), unchanged=unchanged)

    def _check_own(self, value: Any, old: Any, run: "Run", place: Place, *, unchanged: bool) -> None:
        assert self._declaration is not None, "rules have a type"
        convert = self._declaration.convert
        now: Any = MISSING
        then: Any = MISSING
        has_old = old is not MISSING and old is not None
        for rule in self._rules:
            if rule.program is None:
                if rule.error:
                    run.add(place, self._kind, f"rule compile error: {rule.error}")
                continue
            if not run.asks(rule, has_old=has_old, unchanged=unchanged):
                continue
            if now is MISSING:
                now = value if convert is None else convert(value)
            if has_old and then is MISSING:
                then = old if convert is None else convert(old)
            run.evaluate(rule, now, _old(then, is_optional=rule.is_optional), place, self._kind)
            if run.is_over:
                return

    @property
    def _kind(self) -> str:
        return str(self._schema.get("type", ""))


def _old(value: Any, *, is_optional: bool) -> Any:
    if is_optional:
        return NONE if value is MISSING else Optional(value)
    return None if value is MISSING else value


def _keys(item: Any, keys: Any) -> bytes:
    return orjson.dumps([item.get(key) for key in keys] if isinstance(item, dict) else item)


class Run:
    """One validation of one object: its budget and what was found.

    `of_old` asks for the rest: the rules that are not asked again because nothing changed, whose errors are only warnings.
    """

    def __init__(self, budget: int = OBJECT_BUDGET, *, of_old: bool = False) -> None:
        self.errors: list[FieldError] = []
        self.is_over = False
        self._left = budget
        self._of_old = of_old

    def asks(self, rule: Rule, *, has_old: bool, unchanged: bool) -> bool:
        if rule.uses_old:
            return not self._of_old and (has_old or rule.is_optional)
        return unchanged is self._of_old

    def evaluate(self, rule: Rule, value: Any, old: Any, place: Place, kind: str) -> None:
        assert rule.program is not None, "a rule that compiled"
        if self._left <= 0:
            self._end(place, kind, _OUT_OF_BUDGET)
            return
        outcome = rule.program.measured(value, old)
        if outcome.cost > self._left:
            self._end(place, kind, _OUT_OF_BUDGET)
            return
        self._left -= outcome.cost
        if outcome.error is not None:
            self._failed(rule, outcome, place, kind)
        elif outcome.value is not True:
            self._refused(rule, value, old, place, kind)

    def add(self, place: Place, kind: str, detail: str) -> None:
        self.errors.append(fields.invalid(text(place), kind, detail))

    def _end(self, place: Place, kind: str, detail: str) -> None:
        self.add(place, kind, detail)
        self.is_over = True

    def _failed(self, rule: Rule, outcome: Outcome, place: Place, kind: str) -> None:
        why = str(outcome.error)
        if isinstance(outcome.error, CostExceeded):
            what = "no further validation rules will be run due to call cost exceeds limit for rule"
            self._end(place, kind, f"'{why}': {what}: {rule.shown}")
        elif why.startswith(values.NO_OVERLOAD):
            what = "call arguments did not match a supported operator, function or macro signature for rule"
            self.add(place, kind, f"'{why}': {what}: {rule.shown}")
        else:
            self.add(place, kind, f"{why} evaluating rule: {rule.shown}")

    def _refused(self, rule: Rule, value: Any, old: Any, place: Place, kind: str) -> None:
        detail = ""
        if rule.message is not None:
            detail = self._message(rule, value, old, place, kind)
            if self.is_over:
                return
        if not detail:
            given = str(rule.given.get("message") or "").strip()
            detail = given or f"failed rule: {rule.shown}"
        at = text(place)
        if rule.field:
            at = rule.field if place is None else f"{at}{'' if rule.field.startswith('[') else '.'}{rule.field}"
        self.errors.append(_REASONS.get(rule.given.get("reason") or "", fields.invalid)(at, kind, detail))

    def _message(self, rule: Rule, value: Any, old: Any, place: Place, kind: str) -> str:
        """ "" where the expression yields none; the rule's own message is then shown."""
        assert rule.message is not None, "a message that compiled"
        outcome = rule.message.measured(value, old)
        shown = orjson.dumps(rule.given["messageExpression"]).decode()
        if isinstance(outcome.error, CostExceeded):
            what = "no further validation rules will be run due to call cost exceeds limit for messageExpression"
            self._end(place, kind, f"{what}: {shown}")
            return ""
        if outcome.cost > self._left:
            what = "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"
            self._end(place, kind, what)
            return ""
        self._left -= outcome.cost
        if outcome.error is not None or not isinstance(outcome.value, str):
            log.debug("a messageExpression yields nothing: %s", outcome.error)
            return ""
        found = outcome.value.strip()
        return "" if len(found.encode()) > MESSAGE_BYTES_MAX or re.search(r"[\n]", found) else found


_REASONS: dict[str, Any] = {
    "FieldValueForbidden": lambda at, value, detail: fields.forbidden(at, detail),
    "FieldValueRequired": lambda at, value, detail: fields.required(at, detail),
    "FieldValueDuplicate": lambda at, value, detail: fields.duplicate(at, value),
}


def text(place: Place) -> str:
    """`spec.items[0].labels[key]`; upstream's `<nil>` for the object itself."""
    parts: list[str] = []
    while place is not None:
        rest, name = place
        if isinstance(name, tuple):
            parts.append(f"[{name[0]}]")
        else:
            parts.append(f"[{name}]" if isinstance(name, int) else f".{name}")
        place = rest
    return "".join(reversed(parts)).removeprefix(".") or "<nil>"


def validator(schema: Object) -> Validator | None:
    """None for a schema without rules."""
    return Validator(schema, schemas.declare(schema, "selfType", is_root=True)) if has_rules(schema) else None
