"""The type of one version of a custom kind: decoding, rules, and what OpenAPI says of it (`api.kind.CustomType`).

Nothing is made before it is asked for: hundreds of definitions cost nothing until objects of theirs come.
"""

import functools
import hashlib

import orjson

from steersman.api import checks, schema
from steersman.api.custom import expressions, places, publishing, rules, structure
from steersman.api.kind import Kind
from steersman.api.validation import fields, metadata
from steersman.meta import errors
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_OPEN: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

# Errors after which upstream does not ask expressions any more.
_BLOCKING = frozenset(
    (
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    )
)
_NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


class Type:
    """`schema` is the openAPIV3Schema of the version, None where there is none (definitions of old API versions); `selectable`
    are the JSON paths of its selectable fields."""

    def __init__(self, name: str, openapi: Object | None, selectable: tuple[str, ...] = ()) -> None:
        self.name = name
        self.schema = openapi
        self._selectable = selectable

    @functools.cached_property
    def _node(self) -> structure.Node:
        return structure.Node(self.schema or _OPEN, is_root=True)

    @functools.cached_property
    def _rule(self) -> rules.Rule:
        return rules.Rule(self.schema or _OPEN)

    @functools.cached_property
    def _expressions(self) -> expressions.Validator | None:
        return expressions.validator(self.schema or _OPEN)

    @functools.cached_property
    def has_defaults(self) -> bool:
        return b'"default":' in orjson.dumps(self.schema)

    @functools.cached_property
    def digest(self) -> str:
        return hashlib.sha256(orjson.dumps([self.name, self.schema, self._selectable])).hexdigest()

    def decode(self, kind: Kind, obj: Object, field_validation: str) -> tuple[Object, list[str]]:
        unknown: list[str] = []
        try:
            clean = structure.coerce(self._node, obj, unknown)
        except checks.WrongType as wrong:
            raise schema.cannot_be_handled(kind, str(wrong)) from wrong
        except RecursionError as error:
            raise errors.bad_request("exceeded max depth") from error
        if not unknown or field_validation == "Ignore":
            return clean, []
        if field_validation == "Strict":
            raise schema.cannot_be_handled(kind, "strict decoding error: " + ", ".join(unknown))
        return clean, unknown

    def coerce(self, obj: Object) -> Object:
        """The same for an object from the store, which may be older than the schema."""
        return structure.coerce(self._node, obj, [])

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """What the schema, the rules of embedded objects and x-kubernetes-validations say."""
        found: list[FieldError] = []
        self._rule.check(new, rules.MISSING if old is None else old, None, found)
        found += _embedded(self._node, new, None)
        return found if self._expressions is None else found + self._judged(self._expressions, new, old, found)

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        """What is wrong with a valid object but was so before."""
        if old is None or self._expressions is None:
            return []
        run = expressions.Run(of_old=True)
        self._expressions.check(new, old, run, None, unchanged=False)
        return [str(error) for error in run.errors]

    def _judged(
        self, validator: expressions.Validator, new: Object, old: Object | None, found: list[FieldError]
    ) -> list[FieldError]:
        """Expressions see only objects of the right shape."""
        if any(error.reason in _BLOCKING for error in found):
            return [FieldError("<nil>", "FieldValueInvalid", f"Invalid value: null: {_NOT_CHECKED}")]
        run = expressions.Run()
        validator.check(new, expressions.MISSING if old is None else old, run, None, unchanged=False)
        return run.errors

    def definitions(self, kind: Kind, *, openapi: str) -> dict[str, Object]:
        return publishing.definitions(kind, self.name, self.schema, openapi, self._selectable)


def _embedded(node: structure.Node, obj: Object, place: places.Place) -> list[FieldError]:
    """Whole objects inside of objects name their type and have proper metadata."""
    found: list[FieldError] = []
    if not node.has_embedded():
        return found
    for name, item in obj.items():
        inner = node.child(name)
        if inner is None or (node.is_embedded and name == "metadata"):
            continue
        where: places.Place = (place, name)
        if isinstance(item, dict):
            found += _embedded_object(inner, item, where)
        elif isinstance(item, list):
            for index, one in enumerate(item):
                if isinstance(one, dict):
                    found += _embedded_object(inner.items(), one, (where, index))
    return found


def _embedded_object(node: structure.Node, obj: Object, place: places.Place) -> list[FieldError]:
    found: list[FieldError] = []
    if node.is_embedded:
        at = places.text(place)
        for field in ("apiVersion", "kind"):
            if not obj.get(field):
                found.append(fields.required(f"{at}.{field}", "must not be empty"))
        meta = obj.get("metadata") or {}
        found += [
            FieldError(f"{at}.{one.field}", one.reason, one.message)
            for one in metadata.validate(
                {"metadata": {"name": "any", **meta}}, None, namespaced=bool(meta.get("namespace")), qualified=False
            )
        ]
    return found + _embedded(node, obj, place)
