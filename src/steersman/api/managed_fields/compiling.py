"""From a schema to nodes of `types`: built-in kinds by their definitions, custom ones by their OpenAPI v3 schema.

What decides: x-kubernetes-list-type, -list-map-keys, -map-type, else the patch strategy and merge key; no list type means
atomic. Source: kube-openapi's schemaconv.
"""

import functools
from collections.abc import Mapping
from typing import Any

from steersman.api import schema
from steersman.api.kind import CustomType, Kind
from steersman.api.managed_fields import always_there, lists, sets, types
from steersman.api.managed_fields.types import Node
from steersman.meta.objects import Object

Definition = dict[str, Any]

_REFERENCE = "#/$defs/"
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# Keys of lists that have a default, which the schema package does not say (OpenAPI of a running server does).
_KEY_DEFAULTS: dict[str, dict[str, Any]] = {
    "io.k8s.api.core.v1.ContainerPort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.ServicePort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.LocalObjectReference": {"name": ""},
}
_UNTYPED = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
}
_SCALARS = {"integer": "numeric", "number": "numeric", "boolean": "boolean"}


class Type:
    """A kind in one version. `zero` is an object of it before its creation: what is there although nobody set it."""

    def __init__(self, kind: str, api_version: str, root: types.Struct, zero: Object) -> None:
        self.kind = kind
        self.api_version = api_version
        self.root = root
        self.zero = zero
        # Top-level fields that are owned as one and are not there before: path elements by name.
        self.leaves = {
            name: f"f:{name}" for name, node in root.declared.items() if node.leaf and zero.get(name) is None
        }
        self.shapes: dict[bytes, sets.Set | None] = {}  # of `updating`: the fields of specs seen before


def of_kind(kind: Kind) -> Type:
    """The type of a kind: of a built-in one by its definition, of a custom one by its schema."""
    if kind.custom is not None:
        return _of_custom(kind.custom, kind.kind, kind.api_version)
    stored = kind.stored
    if schema.of_release().name_of(kind.group, kind.version, kind.kind) is None and stored is not kind:
        return _of_stored(stored.group, stored.version, kind.kind, kind.api_version)
    return of_names(kind.group, kind.version, kind.kind)


@functools.cache
def _of_stored(group: str, version: str, kind: str, api_version: str) -> Type:
    """Of a version that only older releases have, where all fields are called as in the stored one."""
    name = schema.of_release().name_of(group, version, kind)
    return of_definition(name, kind, api_version) if name else of_schema(kind, api_version, None)


@functools.lru_cache(maxsize=512)
def _of_custom(custom: CustomType, kind: str, api_version: str) -> Type:
    """By the identity of the custom type, which is another one as soon as the schema is."""
    return of_schema(kind, api_version, custom.schema)


@functools.cache
def of_names(group: str, version: str, kind: str) -> Type:
    """`of_kind`, also for bodies that are no kind of their own (Scale)."""
    name = schema.of_release().name_of(group, version, kind)
    api_version = f"{group}/{version}" if group else version
    return of_definition(name, kind, api_version) if name else of_schema(kind, api_version, None)


@functools.cache
def of_definition(name: str, kind: str, api_version: str) -> Type:
    """The type of a definition of the schema package."""
    root = _definitions().node(name)
    assert isinstance(root, types.Struct), f"{name} is no object"
    return Type(kind, api_version, root, always_there.zero(schema.of_release().definitions, name))


def of_schema(kind: str, api_version: str, openapi: Definition | None) -> Type:
    """The type of a custom resource's version; None is a schema that says nothing."""
    if openapi is None:
        openapi = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    body = _Compiler({}).struct({**openapi, "x-kubernetes-embedded-resource": True}, preserving=False)
    return Type(kind, api_version, body, {"metadata": {}})


@functools.cache
def _definitions() -> "_Compiler":
    return _Compiler(schema.of_release().definitions)


class _Compiler:
    """Nodes by definition name, made once each: definitions may contain themselves."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = definitions
        self._made: dict[str, Node] = {}

    def node(self, name: str) -> Node:
        made = self._made.get(name)
        if made is not None:
            return made
        if name in _UNTYPED:
            node: Node = types.Leaf("untyped")
        else:
            definition = self._definitions[name]
            if definition.get("x-kubernetes-map-type") == "atomic" or "properties" not in definition:
                node = self._of(definition, preserving=False)
            else:
                node = self._made[name] = types.Struct({})
                self._fill(node, definition, preserving=False)
        self._made[name] = node
        return node

    def struct(self, definition: Definition, *, preserving: bool) -> types.Struct:
        made = types.Struct({})
        self._fill(made, definition, preserving)
        return made

    def _of(self, definition: Definition, *, preserving: bool) -> Node:
        reference = definition.get("$ref")
        if reference is not None:
            node = self.node(reference.removeprefix(_REFERENCE))
            atomic = definition.get("x-kubernetes-map-type") == "atomic" and not node.leaf
            return types.Leaf(inner=node) if atomic else node
        preserving = preserving or definition.get("x-kubernetes-preserve-unknown-fields") is True
        kind = _type_of(definition)
        if definition.get("x-kubernetes-int-or-string"):
            return types.Leaf("untyped")
        if kind == "array":
            return self._list(definition, preserving)
        if kind == "object" or (not kind and definition.get("properties")):
            made = self.struct(definition, preserving=preserving)
            return types.Leaf(inner=made) if definition.get("x-kubernetes-map-type") == "atomic" else made
        if kind == "string":
            return types.Leaf("string" if definition.get("format", "") in ("", "byte") else "untyped")
        return types.Leaf(_SCALARS[kind]) if kind in _SCALARS else types.DEDUCED

    def _fill(self, made: types.Struct, definition: Definition, preserving: bool) -> None:
        declared = {
            name: self._of(inner, preserving=preserving) for name, inner in (definition.get("properties") or {}).items()
        }
        if definition.get("x-kubernetes-embedded-resource"):
            text = types.Leaf("string")
            declared.update({"apiVersion": text, "kind": text, "metadata": _definitions().node(_OBJECT_META)})
        made.declare(declared, self._rest(definition, preserving))

    def _rest(self, definition: Definition, preserving: bool) -> Node | None:
        """The node of fields that are not declared; None where there may be none."""
        inner = definition.get("additionalProperties")
        if isinstance(inner, dict) and inner:
            return self._of(inner, preserving=preserving)
        preserving = preserving or definition.get("x-kubernetes-preserve-unknown-fields") is True
        if inner is True or inner == {} or preserving or (inner is None and not definition.get("properties")):
            return types.DEDUCED
        return None

    def _list(self, definition: Definition, preserving: bool) -> Node:
        inner = definition.get("items") or {}
        item = self._of(inner, preserving=preserving)
        kind, keys = _list_type(definition)
        if kind == "map" and keys:
            return lists.ListMap(keys, item, self._key_defaults(inner, keys))
        if kind == "set" or kind == "map":
            return lists.ListSet(item)
        return types.Leaf(inner=types.Inside(item))

    def _key_defaults(self, item: Definition, keys: list[str]) -> dict[str, Any]:
        name = item.get("$ref", "").removeprefix(_REFERENCE)
        if name:
            return {key: value for key, value in _KEY_DEFAULTS.get(name, {}).items() if key in keys}
        properties = item.get("properties") or {}
        return {key: properties[key]["default"] for key in keys if "default" in properties.get(key, {})}


def _list_type(definition: Definition) -> tuple[str, list[str]]:
    declared = definition.get("x-kubernetes-list-type")
    if declared is not None:
        return declared, list(definition.get("x-kubernetes-list-map-keys") or ())
    if "merge" in str(definition.get("x-kubernetes-patch-strategy", "")).split(","):
        key = definition.get("x-kubernetes-patch-merge-key")
        return ("map", [key]) if key else ("set", [])
    return "atomic", []


def _type_of(definition: Definition) -> str:
    declared = definition.get("type", "")
    return next((one for one in declared if one != "null"), "") if isinstance(declared, list) else declared
