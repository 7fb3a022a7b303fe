"""What a structural schema makes of an object: unknown fields go, defaults come, nulls that are not allowed go.

One pass, a new object out. Nodes are made from the schema as objects reach them: of a schema of a megabyte only the part that
is used costs anything. Source: "Extend the Kubernetes API with CustomResourceDefinitions", and upstream's schema/pruning,
schema/defaulting and schema/objectmeta.
"""

import copy
from typing import Any

import orjson

from steersman.api import schema
from steersman.api.custom import places
from steersman.api.custom.places import Place
from steersman.meta.objects import Object

_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_TYPE_FIELDS = frozenset(("apiVersion", "kind"))
_UNKNOWN_MAX = 32  # as for built-in kinds: a body of nothing but mistakes must not make a huge answer
_MISSING: Any = object()


class Node:
    """One schema. `defaults` are those of its properties; `rest` the schema of other fields, if there may be any."""

    __slots__ = (
        "_children",
        "_embeds",
        "_items",
        "_rest",
        "defaults",
        "is_embedded",
        "is_nullable",
        "preserves",
        "schema",
    )

    def __init__(self, definition: Object, *, is_root: bool = False) -> None:
        self.schema = definition
        self.preserves = definition.get("x-kubernetes-preserve-unknown-fields") is True
        self.is_embedded = is_root or definition.get("x-kubernetes-embedded-resource") is True
        self.is_nullable = definition.get("nullable") is True
        properties = definition.get("properties") or {}
        self.defaults = {name: inner["default"] for name, inner in properties.items() if "default" in inner}
        self._children: dict[str, Node] = {}
        self._rest: Node | None = None
        self._items: Node | None = None
        self._embeds: bool | None = None

    def child(self, name: str) -> "Node | None":
        """The node of a field; None for one that the schema does not know."""
        found = self._children.get(name)
        if found is None:
            inner = (self.schema.get("properties") or {}).get(name)
            if inner is None:
                return self.rest()
            found = self._children[name] = Node(inner)
        return found

    def rest(self) -> "Node | None":
        inner = self.schema.get("additionalProperties")
        if self._rest is None and inner is not None and inner is not False:
            self._rest = Node(inner) if isinstance(inner, dict) else NOTHING
        return self._rest

    def items(self) -> "Node":
        """A list without a schema of its items keeps no fields in them."""
        if self._items is None:
            inner = self.schema.get("items")
            self._items = Node(inner) if isinstance(inner, dict) else NOTHING
        return self._items

    def has_embedded(self) -> bool:
        """Whether objects stand anywhere below that are whole objects themselves."""
        if self._embeds is None:
            self._embeds = b'"x-kubernetes-embedded-resource":true' in orjson.dumps(self.schema)
        return self._embeds


NOTHING = Node({})


def coerce(root: Node, obj: Object, unknown: list[str]) -> Object:
    """The object as its schema has it; what was dropped is named in `unknown`. Raises checks.WrongType for wrong metadata."""
    found: Object = _object(root, obj, None, unknown)
    return found


def _value(node: Node, value: Any, place: Place, unknown: list[str]) -> Any:
    if value.__class__ is dict:
        return _object(node, value, place, unknown)
    if value.__class__ is list:
        return _list(node, value, place, unknown)
    return value


def _object(node: Node, value: Object, place: Place, unknown: list[str]) -> Object:
    result: Object = {}
    for name, item in value.items():
        if node.is_embedded and name in _TYPE_FIELDS:
            result[name] = item
        elif node.is_embedded and name == "metadata":
            result[name] = _metadata(item, (place, name), unknown)
        else:
            made = _field(node, name, item, (place, name), unknown)
            if made is not _MISSING:
                result[name] = made
    for name, default in node.defaults.items():
        if name not in result:
            inner = node.child(name)
            assert inner is not None, "a default is that of a declared property"
            result[name] = _value(inner, copy.deepcopy(default), (place, name), unknown)
    return result


def _field(node: Node, name: str, item: Any, place: Place, unknown: list[str]) -> Any:
    inner = node.child(name)
    if inner is None:
        if node.preserves:
            return item
        if len(unknown) < _UNKNOWN_MAX:
            unknown.append(f'unknown field "{places.text(place)}"')
        return _MISSING
    if item is None and not inner.is_nullable:
        # Of a declared field the default takes its place, of an entry of a map that of the entries.
        return copy.deepcopy(inner.schema["default"]) if "default" in inner.schema else _MISSING
    return _value(inner, item, place, unknown)


def _list(node: Node, value: list[Any], place: Place, unknown: list[str]) -> list[Any]:
    if node.preserves and not isinstance(node.schema.get("items"), dict):
        return value
    inner = node.items()
    result = []
    for index, item in enumerate(value):
        if item is None and not inner.is_nullable and "default" in inner.schema:
            item = copy.deepcopy(inner.schema["default"])
        result.append(_value(inner, item, (place, index), unknown))
    return result


def _metadata(value: Any, place: Place, unknown: list[str]) -> Any:
    """metadata is that of every object, whatever the schema says."""
    if value is None:
        return {}
    clean = schema.of_release().check(_OBJECT_META)(value, place if value.__class__ is dict else None, unknown)
    return {} if clean is None else clean
