"""What values a schema allows, and upstream's words for those it does not.

Checks are made from the schema as values reach them. On an update, what has not changed is not checked again ("ratcheting"), so
that an object from before a stricter schema can still be changed elsewhere.
Source: kube-openapi's validation/validate and errors, apiextensions' schema validation; KEP-4008.
"""

import math
from collections.abc import Callable
from typing import Any

import orjson

from steersman.api.custom import formats, places
from steersman.api.custom.places import Place
from steersman.api.validation import fields
from steersman.meta import patterns
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

MISSING: Any = object()  # no older value, where None is JSON's null

Errors = list[FieldError]
Check = Callable[[Any, Place, Errors], None]

_RANGES = {"int32": 31, "int64": 63}
_JSON_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


def json_type(value: Any) -> str:
    return _JSON_TYPES.get(value.__class__, "null")


def same(new: Any, old: Any) -> bool:
    """Equal in JSON: true is not 1."""
    return bool(new == old) and (new is old or orjson.dumps(new) == orjson.dumps(old))


class Rule:
    """One schema's rules. `check(value, old, place, errors)` appends what is wrong."""

    __slots__ = ("_children", "_items", "_of_kind", "_own", "_rest", "_schema")

    def __init__(self, schema: Object) -> None:
        self._schema = schema
        self._own: list[Check] | None = None
        self._of_kind: dict[type, list[Check]] = {}
        self._children: dict[str, Rule | None] = {}
        self._rest: Rule | None = None
        self._items: Rule | None = None

    def check(self, value: Any, old: Any, place: Place, errors: Errors) -> None:
        if old is not MISSING and same(value, old):
            return
        if self._own is None:
            self._own = self._every_kind()
        for check in self._own:
            check(value, place, errors)
        if value is None:
            return
        kind = value.__class__
        checks = self._of_kind.get(kind)
        if checks is None:
            checks = self._of_kind[kind] = _MAKERS[kind](self._schema)
        for check in checks:
            check(value, place, errors)
        if kind is dict:
            self._check_fields(value, old, place, errors)
        elif kind is list:
            self._check_items(value, old, place, errors)

    def is_met(self, value: Any) -> bool:
        errors: Errors = []
        self.check(value, MISSING, None, errors)
        return not errors

    def _check_fields(self, value: Object, old: Any, place: Place, errors: Errors) -> None:
        before = old if old.__class__ is dict else {}
        for name, item in value.items():
            rule = self._child(name)
            if rule is not None:
                rule.check(item, before.get(name, MISSING), (place, name), errors)

    def _check_items(self, value: list[Any], old: Any, place: Place, errors: Errors) -> None:
        inner = self._schema.get("items")
        if not isinstance(inner, dict):
            return
        if self._items is None:
            self._items = Rule(inner)
        before = _by_keys(old, self._schema.get("x-kubernetes-list-map-keys"))
        for index, item in enumerate(value):
            was = before.get(_keys_of(item, self._schema.get("x-kubernetes-list-map-keys")), MISSING)
            self._items.check(item, was, (place, index), errors)

    def _child(self, name: str) -> "Rule | None":
        if name in self._children:
            return self._children[name]
        inner = (self._schema.get("properties") or {}).get(name)
        if inner is None:
            rest = self._schema.get("additionalProperties")
            if not isinstance(rest, dict):
                return None
            self._rest = self._rest or Rule(rest)
            return self._rest
        found = self._children[name] = Rule(inner) if inner else None
        return found

    def _every_kind(self) -> list[Check]:
        schema = self._schema
        checks = [_type(schema)]
        if schema.get("enum"):
            checks.append(_enum(schema["enum"]))
        for name, make in (("allOf", _all_of), ("anyOf", _any_of), ("oneOf", _one_of)):
            if schema.get(name):
                checks.append(make([Rule(one) for one in schema[name]]))
        if schema.get("not") is not None:
            checks.append(_not(Rule(schema["not"])))
        return checks


# Every kind of value.


def _type(schema: Object) -> Check:
    declared = schema.get("type", "")
    is_either = schema.get("x-kubernetes-int-or-string") is True
    wanted = ("integer", "string") if is_either else (declared,) if declared else ()
    is_nullable = schema.get("nullable") is True or not wanted
    shown = ",".join(wanted)

    def check(value: Any, place: Place, errors: Errors) -> None:
        found = json_type(value)
        if value is None:
            if is_nullable:
                return
        elif not wanted or found in wanted or _is_also(value, wanted):
            return
        at = places.text(place)
        text = f'Invalid value: "{found}": {at} in body must be of type {shown}: "{found}"'
        errors.append(FieldError(at, "FieldValueTypeInvalid", text))

    return check


def _is_also(value: Any, wanted: tuple[str, ...]) -> bool:
    """Numbers without a fraction are integers and numbers at once."""
    if value.__class__ is int:
        return "number" in wanted
    return value.__class__ is float and "integer" in wanted and value.is_integer()


def _enum(values: list[Any]) -> Check:
    allowed = {_canonical(value) for value in values}
    listed = ", ".join(f'"{one}"' if isinstance(one, str) else f'"{fields.shown(one)}"' for one in values)

    def check(value: Any, place: Place, errors: Errors) -> None:
        if value is not None and _canonical(value) not in allowed:
            text = f"Unsupported value: {fields.shown(value)}: supported values: {listed}"
            errors.append(FieldError(places.text(place), "FieldValueNotSupported", text))

    return check


def _canonical(value: Any) -> bytes:
    if value.__class__ is float and value.is_integer():
        value = int(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _all_of(rules: list[Rule]) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        found = [_errors_of(rule, value, place) for rule in rules]
        valid = sum(1 for one in found if not one)
        if valid == len(rules):
            return
        for one in found:
            _add(errors, one)
        errors.append(_composite(place, f"must validate all the schemas (allOf){'' if valid else '. None validated'}"))

    return check


def _any_of(rules: list[Rule]) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        found = [_errors_of(rule, value, place) for rule in rules]
        if all(found):
            errors.append(_composite(place, "must validate at least one schema (anyOf)"))
            _add(errors, min(found, key=len))

    return check


def _one_of(rules: list[Rule]) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        found = [_errors_of(rule, value, place) for rule in rules]
        valid = sum(1 for one in found if not one)
        if valid == 1:
            return
        why = f"Found {valid} valid alternatives" if valid else "Found none valid"
        errors.append(_composite(place, f"must validate one and only one schema (oneOf). {why}"))
        if not valid:
            _add(errors, min(found, key=len))

    return check


def _not(rule: Rule) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        if not _errors_of(rule, value, place):
            errors.append(_composite(place, "must not validate the schema (not)"))

    return check


def _errors_of(rule: Rule, value: Any, place: Place) -> Errors:
    found: Errors = []
    rule.check(value, MISSING, place, found)
    return found


def _add(errors: Errors, more: Errors) -> None:
    errors.extend(one for one in more if one not in errors)


def _composite(place: Place, what: str) -> FieldError:
    """Upstream names no field for these."""
    return FieldError("<nil>", "FieldValueInvalid", f'Invalid value: "": "{places.text(place)}" {what}')


# One kind of value each.


def _invalid(what: str, wrong: Callable[[Any], bool]) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        if wrong(value):
            at = places.text(place)
            errors.append(fields.invalid(at, value, f"{at} in body {what}"))

    return check


def _of_string(schema: Object) -> list[Check]:
    checks: list[Check] = []
    low, high, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    if high is not None:
        checks.append(_too_long(high))
    if low is not None:
        checks.append(_invalid(f"should be at least {low} chars long", lambda value: len(value) < low))
    if pattern:
        search = patterns.compiled(pattern).search
        checks.append(_invalid(f"should match '{pattern}'", lambda value: search(value) is None))
    fits = formats.check_of(schema.get("format", ""))
    if fits is not None:
        checks.append(_format(schema["format"], fits))
    return checks


def _too_long(limit: int) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        if len(value) > limit:
            errors.append(fields.too_long(places.text(place), limit))

    return check


def _format(name: str, fits: Callable[[str], bool]) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        if not fits(value):
            at, shown = places.text(place), fields.shown(value)
            text = f"Invalid value: {shown}: {at} in body must be of type {name}: {shown}"
            errors.append(FieldError(at, "FieldValueTypeInvalid", text))

    return check


def _of_number(schema: Object) -> list[Check]:
    checks: list[Check] = []
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if high is not None:
        if schema.get("exclusiveMaximum"):
            checks.append(_invalid(f"should be less than {_number(high)}", lambda value: value >= high))
        else:
            checks.append(_invalid(f"should be less than or equal to {_number(high)}", lambda value: value > high))
    if low is not None:
        if schema.get("exclusiveMinimum"):
            checks.append(_invalid(f"should be greater than {_number(low)}", lambda value: value <= low))
        else:
            checks.append(_invalid(f"should be greater than or equal to {_number(low)}", lambda value: value < low))
    if step:
        checks.append(_invalid(f"should be a multiple of {_number(step)}", lambda value: not _is_multiple(value, step)))
    bits = _RANGES.get(schema.get("format", ""))
    if bits is not None:
        checks.append(_of_range(schema["format"], bits))
    return checks


def _of_range(name: str, bits: int) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        if not -(1 << bits) <= value < 1 << bits:
            at = places.text(place)
            what = f"Checked value must be of type integer with format {name} in {at}"
            errors.append(fields.invalid(at, value, what))

    return check


def _is_multiple(value: float, step: float) -> bool:
    quotient = value / step
    return quotient == math.floor(quotient)


def _number(value: float) -> str:
    return str(int(value)) if value == math.floor(value) and abs(value) < 1e21 else f"{value:g}"


def _of_array(schema: Object) -> list[Check]:
    checks: list[Check] = []
    low, high = schema.get("minItems"), schema.get("maxItems")
    if high is not None:
        checks.append(_too_many(high))
    if low is not None:
        checks.append(_invalid(f"should have at least {low} items", lambda value: len(value) < low))
    if schema.get("uniqueItems"):
        checks.append(_invalid("shouldn't contain duplicates", _has_duplicates))
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if list_type == "set" or (list_type == "map" and keys):
        checks.append(_unique(keys if list_type == "map" else None, schema.get("items") or {}))
    return checks


def _too_many(limit: int) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        if len(value) > limit:
            errors.append(fields.too_many(places.text(place), len(value), limit))

    return check


def _has_duplicates(value: list[Any]) -> bool:
    return len({_canonical(one) for one in value}) < len(value)


def _unique(keys: list[str] | None, items: Object) -> Check:
    """Items of a set, or the keys of those of a map, stand in it once."""
    defaults = {name: inner.get("default") for name, inner in (items.get("properties") or {}).items()}

    def check(value: Any, place: Place, errors: Errors) -> None:
        seen: set[bytes] = set()
        for index, item in enumerate(value):
            if keys is None:
                shown = item
            elif not isinstance(item, dict):
                continue
            else:
                found = {key: item.get(key, defaults.get(key)) for key in keys}
                shown = {key: one for key, one in found.items() if one is not None}
            identity = _canonical(shown)
            if identity in seen:
                errors.append(fields.duplicate(places.text((place, index)), shown))
            seen.add(identity)

    return check


def _of_object(schema: Object) -> list[Check]:
    checks: list[Check] = []
    low, high, required = schema.get("minProperties"), schema.get("maxProperties"), schema.get("required")
    if high is not None:
        checks.append(_too_many(high))
    if low is not None:
        checks.append(_invalid(f"should have at least {low} properties", lambda value: len(value) < low))
    if required:
        checks.append(_required(required))
    return checks


def _required(names: list[str]) -> Check:
    def check(value: Any, place: Place, errors: Errors) -> None:
        for name in names:
            if name not in value:
                errors.append(fields.required(places.text((place, name))))

    return check


def _nothing(schema: Object) -> list[Check]:
    return []


_MAKERS: dict[type, Callable[[Object], list[Check]]] = {
    str: _of_string,
    int: _of_number,
    float: _of_number,
    list: _of_array,
    dict: _of_object,
    bool: _nothing,
}


# Which old item is the same as a new one.


def _by_keys(old: Any, keys: list[str] | None) -> dict[bytes, Any]:
    if old.__class__ is not list or not keys:
        return {}
    return {_keys_of(item, keys): item for item in old}


def _keys_of(item: Any, keys: list[str] | None) -> bytes:
    if not keys or item.__class__ is not dict:
        return b""
    return _canonical({key: item.get(key) for key in keys})
