"""What OpenAPI documents say of a custom kind: definitions of its object and its list, for v3 and, with less, for v2.

Source: apiextensions' controllers/openapi/builder and schema/kubeopenapi (ToKubeOpenAPI, ToStructuralOpenAPIV2).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from steersman.api.kind import Kind
from steersman.meta.objects import Object

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_PREFIX = "#/$defs/"
_PRESERVES = "x-kubernetes-preserve-unknown-fields"
_TEXTS = {
    "apiVersion": (
        "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas "
        "to the latest internal value, and may reject unrecognized values. More info: "
        "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
    ),
    "kind": (
        "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint "
        "the client submits requests to. Cannot be updated. In CamelCase. More info: "
        "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
    ),
    "metadata": (
        "Standard object's metadata. More info: "
        "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
    ),
}
# v2 has no words for these; a reader that knew half of them would refuse good objects.
_NOT_IN_V2 = frozenset(("oneOf", "anyOf", "allOf", "not", "nullable", "default", "x-kubernetes-int-or-string"))


def name_of(group: str, version: str, kind: str) -> str:
    """`com.example.stable.v1.CronTab`."""
    return ".".join((*reversed(group.split(".")), version, kind))


def definitions(
    kind: Kind, name: str, schema: Object | None, openapi: str, selectable: Sequence[str] = ()
) -> dict[str, Object]:
    """`selectable` are the JSON paths that field selectors may ask for.
    References are in the schema package's form, as for built-in kinds."""
    gvk = {"group": kind.group, "version": kind.version}
    body = _body(schema or {"type": "object", _PRESERVES: True}, openapi)
    body["x-kubernetes-group-version-kind"] = [{**gvk, "kind": kind.kind}]
    if selectable:
        body["x-kubernetes-selectable-fields"] = [{"fieldPath": path.removeprefix(".")} for path in selectable]
    listed = {
        "description": f"{kind.kind}List is a list of {kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            **_head(_META + "ListMeta"),
            "items": {
                "description": f"List of {kind.plural}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md",
                "type": "array",
                "items": {"$ref": _PREFIX + name},
            },
        },
        "x-kubernetes-group-version-kind": [{**gvk, "kind": f"{kind.kind}List"}],
    }
    return {name: body, f"{name}List": listed}


def _body(schema: Object, openapi: str) -> Object:
    """In v2, a kind that takes any field has no properties at all, those of every object included: kubectl would refuse
    whatever is not among them."""
    if openapi == "v2" and schema.get(_PRESERVES):
        return {"type": "object"}
    body = _closed(schema, openapi)
    return {**body, "properties": {**_head(_META + "ObjectMeta"), **_without_head(body.get("properties") or {})}}


def _head(of_metadata: str) -> Object:
    return {
        "apiVersion": {"description": _TEXTS["apiVersion"], "type": "string"},
        "kind": {"description": _TEXTS["kind"], "type": "string"},
        "metadata": {"description": _TEXTS["metadata"], "$ref": _PREFIX + of_metadata},
    }


def _without_head(properties: Mapping[str, Any]) -> Object:
    return {name: inner for name, inner in properties.items() if name not in _TEXTS}


def _closed(schema: Object, openapi: str) -> Object:
    """A schema as it is published: rules are kept in v3; v2 also loses what it cannot say."""
    if openapi == "v3":
        return _embedded(schema) if _has_embedded(schema) else schema
    if schema.get(_PRESERVES) or schema.get("nullable"):
        # A v2 reader would take `properties` for all there is, null for wrong, and `type` for a reason to ask for properties.
        return {key: value for key, value in schema.items() if key in ("description", _PRESERVES)}
    result: Object = {}
    for key, value in schema.items():
        if key in _NOT_IN_V2:
            continue
        if key == "properties":
            result[key] = {name: _closed(inner, openapi) for name, inner in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _closed(value, openapi)
        elif key == "type" and schema.get("items") == {}:
            continue
        else:
            result[key] = value
    return _with_object_head(result)


def _has_embedded(schema: Any) -> bool:
    if isinstance(schema, dict):
        if schema.get("x-kubernetes-embedded-resource") is True:
            return True
        inner = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
        return any(_has_embedded(one) for one in inner)
    return False


def _embedded(schema: Object) -> Object:
    """Embedded objects get the properties every object has."""
    result = _with_object_head(schema)
    if "properties" in result:
        result["properties"] = {name: _maybe(inner) for name, inner in result["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = _maybe(result[key])
    return result


def _maybe(schema: Any) -> Any:
    return _embedded(schema) if isinstance(schema, dict) and "$ref" not in schema else schema


def _with_object_head(schema: Object) -> Object:
    if schema.get("x-kubernetes-embedded-resource") is not True:
        return dict(schema)
    properties = {**_head(_META + "ObjectMeta"), **_without_head(schema.get("properties") or {})}
    return {**schema, "properties": properties}
