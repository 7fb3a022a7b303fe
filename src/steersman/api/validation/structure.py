"""What the types of the release themselves say is required: for kinds whose fields upstream checks by their declarations.

Go fills in absent numbers and booleans with zeros, so only texts, lists and objects can be missing.
"""

from typing import Any

from steersman.api import schema
from steersman.api.kind import Kind
from steersman.api.validation import fields
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_CAN_BE_MISSING = frozenset(("string", "array", "object"))


def validate_required(kind: Kind, obj: Object) -> list[FieldError]:
    """Every required field that is missing or empty, in all but the metadata. The type is the stored version's."""
    stored = kind.stored
    root = schema.of_release().definition_of(stored.group, stored.version, stored.kind)
    rest = {name: value for name, value in obj.items() if name not in ("metadata", "status")}
    return _object(root, rest, "") if root is not None else []


def _object(definition: schema.Definition, obj: Object, path: str) -> list[FieldError]:
    types = schema.of_release()
    errors = []
    for name, of_field in definition.get("properties", {}).items():
        inner = types.resolve(of_field)
        where = f"{path}.{name}" if path else name
        value = obj.get(name)
        if name in definition.get("required", ()) and not value and _type(inner) in _CAN_BE_MISSING:
            if value is None or _type(inner) != "object":
                errors.append(fields.required(where))
        elif value:
            errors += _value(inner, value, where)
    return errors


def _value(definition: schema.Definition, value: Any, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    types = schema.of_release()
    if isinstance(value, dict) and "properties" in definition:
        return _object(definition, value, path)
    if isinstance(value, dict) and isinstance(definition.get("additionalProperties"), dict):
        inner = types.resolve(definition["additionalProperties"])
        for key, one in value.items():
            errors += _value(inner, one, f"{path}[{key}]")
    if isinstance(value, list) and "items" in definition:
        inner = types.resolve(definition["items"])
        for index, one in enumerate(value):
            errors += _value(inner, one, f"{path}[{index}]")
    return errors


def _type(definition: schema.Definition) -> str:
    declared = definition.get("type", "")
    return next((one for one in declared if one != "null"), "") if isinstance(declared, list) else str(declared)
