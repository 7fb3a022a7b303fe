"""Which schemas a CustomResourceDefinition may have: structural ones, without the constructs upstream forbids.

Structural: every place has a type, and what stands inside allOf, anyOf, oneOf and not only narrows values and never adds fields.
Source: "Specifying a structural schema"; upstream's schema.ValidateStructural and apiextensions' ValidateCustomResourceDefinition.
"""

import dataclasses
import re
from typing import Any

from steersman.api.custom import expression_rules, rules, structure
from steersman.api.validation import fields
from steersman.meta import patterns
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

Errors = list[FieldError]

_ERRORS_MAX = 64  # of one schema; a megabyte of mistakes must not make a megabyte of errors
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_JUNCTURES = ("allOf", "anyOf", "oneOf")
# A scalar that says no more than this is fine: nine in ten schemas of a large definition.
_SCALARS = frozenset(("boolean", "integer", "number", "string"))
_HARMLESS = frozenset(
    ("type", "description", "format", "title", "nullable", "enum", "minimum", "maximum", "minLength", "maxLength")
)
_UNSUPPORTED = {
    "$ref": "$ref is not supported",
    "definitions": "definitions is not supported",
    "dependencies": "dependencies is not supported",
    "id": "id is not supported",
    "patternProperties": "patternProperties is not supported",
    "additionalItems": "additionalItems is not supported",
}
# What only the structural part may say.
_STRUCTURAL_ONLY = (
    "description", "type", "default", "title", "nullable", "additionalProperties", "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)  # fmt: skip

# What need not hold has no rules.
_ALTERNATIVE = re.compile(r"\.(anyOf|oneOf)\[|\.not(\.|$)").search


@dataclasses.dataclass(slots=True)
class _Found:
    """What a walk over one schema has found so far."""

    errors: Errors = dataclasses.field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.errors) >= _ERRORS_MAX


def validate(schema: Object, path: str) -> Errors:
    """`path` is that of the schema in the definition: `spec.versions[0].schema.openAPIV3Schema`."""
    found = _Found()
    _check_root(schema, path, found)
    _walk(schema, path, found, at_root=True)
    return found.errors or expression_rules.validate(schema, path)


def _check_root(schema: Object, path: str, found: _Found) -> None:
    declared = schema.get("type")
    if not declared:
        found.errors.append(fields.required(f"{path}.type", "must not be empty at the root"))
    elif declared != "object":
        found.errors.append(fields.invalid(f"{path}.type", declared, "must be object at the root"))
    if schema.get("nullable"):
        found.errors.append(fields.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))


def _walk(schema: Object, path: str, found: _Found, *, at_root: bool = False, where: str = "") -> None:
    """`where` names what the schema is the schema of, for the message about its missing type."""
    if found.is_full or (not at_root and schema.get("type") in _SCALARS and schema.keys() <= _HARMLESS):
        return
    errors = found.errors
    errors += _unsupported(schema, path)
    if not at_root and not schema.get("type"):
        is_free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
        if not is_free:
            errors.append(fields.required(f"{path}.type", f"must not be empty for specified {where}"))
    errors += _own_rules(schema, path, at_root=at_root)
    errors += expression_rules.validate_texts(schema, path)
    properties = schema.get("properties") or {}
    for name, inner in properties.items():
        if name == "metadata" and (at_root or schema.get("x-kubernetes-embedded-resource")):
            errors += _metadata_rules(inner, f"{path}.properties[metadata]")
        _walk(inner, f"{path}.properties[{name}]", found, where="object fields")
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        _walk(rest, f"{path}.additionalProperties", found, where="object fields")
    items = schema.get("items")
    if isinstance(items, dict):
        _walk(items, f"{path}.items", found, where="array items")
    for name in _JUNCTURES:
        for index, inner in enumerate(schema.get(name) or ()):
            _narrowing(schema, inner, f"{path}.{name}[{index}]", path, found)
    if isinstance(schema.get("not"), dict):
        _narrowing(schema, schema["not"], f"{path}.not", path, found)
    if "default" in schema and not found.is_full:
        errors += _default_rules(schema, path)


def _unsupported(schema: Object, path: str) -> Errors:
    errors: Errors = []
    if not _UNSUPPORTED.keys().isdisjoint(schema):
        errors += [
            fields.forbidden(f"{path}.{name}", why)
            for name, why in _UNSUPPORTED.items()
            if schema.get(name) not in (None, "")
        ]
    if schema.get("uniqueItems") is True:
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(fields.forbidden(f"{path}.uniqueItems", why))
    if schema.get("additionalProperties") is False:
        errors.append(fields.forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false"))
    if schema.get("additionalProperties") and schema.get("properties"):
        why = "additionalProperties and properties are mutual exclusive"
        errors.append(fields.forbidden(f"{path}.additionalProperties", why))
    if isinstance(schema.get("items"), list):
        errors.append(fields.forbidden(f"{path}.items", "items must be a schema object and not an array"))
    return errors


def _own_rules(schema: Object, path: str, *, at_root: bool) -> Errors:
    errors: Errors = []
    declared = schema.get("type", "")
    if declared and declared not in _TYPES:
        errors.append(fields.not_supported(f"{path}.type", declared, _TYPES))
    if declared == "array" and schema.get("items") is None:
        errors.append(fields.required(f"{path}.items", "must be specified"))
    if schema.get("pattern"):
        try:
            patterns.compiled(schema["pattern"])
        except patterns.Unsupported as wrong:
            why = f"must be a valid regular expression, but isn't: {wrong}"
            errors.append(fields.invalid(f"{path}.pattern", schema["pattern"], why))
    if at_root and schema.get("additionalProperties"):
        errors.append(fields.forbidden(f"{path}.additionalProperties", "must not be used at the root"))
    if schema.get("x-kubernetes-embedded-resource"):
        errors += _embedded_rules(schema, path, declared)
    if schema.get("x-kubernetes-int-or-string") and declared:
        why = "must be empty if x-kubernetes-int-or-string is true"
        errors.append(fields.invalid(f"{path}.type", declared, why))
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        why = "must be true or undefined"
        errors.append(fields.invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, why))
    return errors + _list_rules(schema, path, declared) + _map_rules(schema, path, declared)


def _embedded_rules(schema: Object, path: str, declared: str) -> Errors:
    errors: Errors = []
    if declared != "object":
        why = "must be object if x-kubernetes-embedded-resource is true"
        errors.append(fields.invalid(f"{path}.type", declared, why))
    if not schema.get("properties") and not schema.get("x-kubernetes-preserve-unknown-fields"):
        why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        errors.append(fields.required(f"{path}.properties", why))
    return errors


def _list_rules(schema: Object, path: str, declared: str) -> Errors:
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    errors: Errors = []
    if list_type is not None and declared != "array":
        why = "must be array if x-kubernetes-list-type is specified"
        errors.append(fields.invalid(f"{path}.type", declared, why))
    if list_type is not None and list_type not in ("atomic", "set", "map"):
        errors.append(fields.not_supported(f"{path}.x-kubernetes-list-type", list_type, ("atomic", "map", "set")))
    if list_type != "map":
        if keys:
            why = (
                "must not be specified if x-kubernetes-list-type is not map"
                if list_type
                else "must be map if x-kubernetes-list-map-keys is non-empty"
            )
            errors.append(fields.invalid(f"{path}.x-kubernetes-list-type", list_type or "", why))
        return errors
    if not keys:
        why = "must not be empty if x-kubernetes-list-type is map"
        return [*errors, fields.required(f"{path}.x-kubernetes-list-map-keys", why)]
    items = schema.get("items")
    if not isinstance(items, dict):
        return errors
    if items.get("type") != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        errors.append(fields.invalid(f"{path}.items.type", items.get("type", ""), why))
    return errors + _key_rules(items, keys, path)


def _key_rules(items: Object, keys: list[str], path: str) -> Errors:
    """Keys are scalar fields of the items that are there: required, or with a default."""
    errors: Errors = []
    properties, required = items.get("properties") or {}, items.get("required") or ()
    for index, key in enumerate(keys):
        at = f"{path}.x-kubernetes-list-map-keys[{index}]"
        inner = properties.get(key)
        if inner is None:
            errors.append(fields.invalid(at, key, "must name a field of the items"))
            continue
        if inner.get("type") in ("array", "object"):
            why = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            errors.append(fields.invalid(f"{path}.items.properties[{key}].type", inner["type"], why))
        if key not in required and "default" not in inner:
            why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            errors.append(fields.required(f"{path}.items.properties[{key}].default", why))
    return errors


def _map_rules(schema: Object, path: str, declared: str) -> Errors:
    map_type = schema.get("x-kubernetes-map-type")
    if map_type is None:
        return []
    errors: Errors = []
    if declared != "object":
        errors.append(fields.invalid(f"{path}.type", declared, "must be object if x-kubernetes-map-type is specified"))
    if map_type not in ("atomic", "granular"):
        errors.append(fields.not_supported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular")))
    return errors


def _metadata_rules(schema: Object, path: str) -> Errors:
    """Of metadata only name and generateName may be narrowed."""
    errors: Errors = []
    if schema.get("type", "object") != "object":
        errors.append(fields.invalid(f"{path}.type", schema["type"], "must be object"))
    others = set(schema.get("properties") or ()) - {"name", "generateName"}
    said = set(schema) - {"type", "description", "properties", "x-kubernetes-validations"}
    if others or said:
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        errors.append(fields.forbidden(path, why))
    return errors


def _narrowing(structural: Object, schema: Object, path: str, base: str, found: _Found) -> None:
    """A schema inside allOf, anyOf, oneOf or not: `structural` is the schema it narrows, which must know its fields."""
    if found.is_full:
        return
    int_or_string = structural.get("x-kubernetes-int-or-string") and set(schema) <= {"type", "anyOf", "pattern"}
    if schema.get("x-kubernetes-validations"):
        if _ALTERNATIVE(path):
            found.errors.append(fields.forbidden(f"{path}.x-kubernetes-validations", "must be empty to be structural"))
        found.errors += expression_rules.validate_texts(schema | {"properties": structural.get("properties")}, path)
    for name in _STRUCTURAL_ONLY:
        if schema.get(name) and not (int_or_string and name == "type"):
            found.errors.append(fields.forbidden(f"{path}.{name}", "must be empty to be structural"))
    found.errors += _unsupported({key: value for key, value in schema.items() if key != "additionalProperties"}, path)
    if schema.get("pattern"):
        found.errors += _own_rules({"pattern": schema["pattern"]}, path, at_root=False)
    known = structural.get("properties") or {}
    for name, inner in (schema.get("properties") or {}).items():
        outer = known.get(name)
        if outer is None:
            rest = structural.get("additionalProperties")
            outer = rest if isinstance(rest, dict) else None
        if outer is None:
            if not _is_open(structural):
                why = f"because it is defined in {path}.properties[{name}]"
                found.errors.append(fields.required(f"{base}.properties[{name}]", why))
            continue
        _narrowing(outer, inner, f"{path}.properties[{name}]", f"{base}.properties[{name}]", found)
    items = schema.get("items")
    if isinstance(items, dict):
        outer = structural.get("items")
        if not isinstance(outer, dict):
            found.errors.append(fields.required(f"{base}.items", f"because it is defined in {path}.items"))
        else:
            _narrowing(outer, items, f"{path}.items", f"{base}.items", found)
    for name in _JUNCTURES:
        for index, inner in enumerate(schema.get(name) or ()):
            _narrowing(structural, inner, f"{path}.{name}[{index}]", base, found)
    if isinstance(schema.get("not"), dict):
        _narrowing(structural, schema["not"], f"{path}.not", base, found)


def _is_open(schema: Object) -> bool:
    """Whether values of fields it does not declare are known to nobody: metadata, whose type is not in the schema."""
    return schema.get("x-kubernetes-embedded-resource") is True


def _default_rules(schema: Object, path: str) -> Errors:
    """A default must be a value the schema itself takes, and pruning must leave it alone."""
    default = schema["default"]
    if default is None and not schema.get("nullable"):
        return []  # upstream drops it
    found: Errors = []
    rules.Rule(schema).check(_defaulted(schema, default), rules.MISSING, (None, f"{path}.default"), found)
    unknown: list[str] = []
    if isinstance(default, dict):
        structure.coerce(structure.Node(schema), default, unknown)
    if unknown:
        found.append(fields.invalid(f"{path}.default", default, "must not have unknown fields"))
    return found


def _defaulted(schema: Object, default: Any) -> Any:
    return structure.coerce(structure.Node(schema), default, []) if isinstance(default, dict) else default
