"""OpenAPI documents made from the table of kinds and the schema package: v3 per group and version, v2 for everything.

What clients do with them, and so what must be right: kubectl validates on the server when the patch operation of a kind lists
`fieldValidation`; it explains fields and finds merge keys in the schemas; generators read the paths.
Documents are built when asked for and not kept: the caller keeps the bytes.
"""

import collections
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from steersman.api import schema
from steersman.api.kind import Kind, Subresource
from steersman.meta.objects import Object

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_V3, _V2 = "#/components/schemas/", "#/definitions/"

_MEDIA_TYPES = ("application/json", "application/yaml")
_PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
# kubectl takes the presence of the strategic one as a promise.
_CUSTOM_PATCH_TYPES = tuple(one for one in _PATCH_TYPES if "strategic" not in one)

# Query parameters by operation: name → (type, description).
_PRETTY = {"pretty": ("string", "If 'true', then the output is pretty printed.")}
_WRITE = {
    "dryRun": ("string", "When present, indicates that modifications should not be persisted: `All`."),
    "fieldManager": ("string", "The name of the actor that is making these changes."),
    "fieldValidation": ("string", "What to do with unknown and duplicate fields: Ignore, Warn or Strict."),
}
_LIST = {
    "allowWatchBookmarks": ("boolean", "Ask for watch events of type BOOKMARK."),
    "continue": ("string", "The token of a previous page, to go on with the next."),
    "fieldSelector": ("string", "Restrict the objects by their fields."),
    "labelSelector": ("string", "Restrict the objects by their labels."),
    "limit": ("integer", "The most objects in one answer."),
    "resourceVersion": ("string", "The version to serve from."),
    "resourceVersionMatch": ("string", "How resourceVersion is applied."),
    "sendInitialEvents": ("boolean", "Begin a watch with the current objects."),
    "timeoutSeconds": ("integer", "How long a list or watch may take."),
    "watch": ("boolean", "Stream changes instead of listing."),
}
_DELETE = {
    "dryRun": _WRITE["dryRun"],
    "gracePeriodSeconds": ("integer", "The duration in seconds before the object should be deleted."),
    "orphanDependents": ("boolean", "Deprecated: use propagationPolicy."),
    "propagationPolicy": ("string", "Whether and how garbage collection will be performed."),
}

_PATCH = {**_WRITE, "force": ("boolean", "Take over what other managers own; only for apply patches.")}

Parameters = dict[str, tuple[str, str]]


class Publisher:
    """The documents of one release. `kinds` are the kinds served now."""

    def __init__(self, types: schema.Schema | None = None) -> None:
        self._types = types or schema.of_release()

    def v3_paths(self, kinds: Iterable[Kind]) -> list[str]:
        """`api/v1`, `apis/apps/v1`, …"""
        return sorted({kind.path[1:] for kind in kinds})

    def v3_index(self, kinds: Iterable[Kind]) -> Object:
        listed = list(kinds)
        return {
            "paths": {
                path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={self._hash(_under(listed, path))}"}
                for path in self.v3_paths(listed)
            }
        }

    def v3(self, kinds: Iterable[Kind], path: str) -> Object:
        """The document of one group and version, `path` being one of `v3_paths`."""
        served = _under(kinds, path)
        paths = {
            address: item for kind in served for address, item in _Paths(kind, self._types, _v3_operation).all().items()
        }
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": f"v{self._types.release}"},
            "paths": paths,
            "components": {"schemas": self._schemas(served, _v3_schema, "v3")},
        }

    def v2(self, kinds: Iterable[Kind]) -> Object:
        listed = list(kinds)
        paths = {
            address: item for kind in listed for address, item in _Paths(kind, self._types, _v2_operation).all().items()
        }
        return {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": f"v{self._types.release}"},
            "paths": paths,
            "definitions": self._schemas(listed, _v2_schema, "v2"),
        }

    def _hash(self, kinds: list[Kind]) -> str:
        """Changes whenever the document does: it is a function of the release and the rows."""
        rows = sorted(
            f"{kind.kind} {kind.plural} {kind.verbs} {kind.subresources} {kind.custom.digest if kind.custom else ''}"
            for kind in kinds
        )
        return hashlib.sha256(f"{self._types.release} {rows}".encode()).hexdigest().upper()

    def _schemas(self, kinds: list[Kind], convert: Callable[[str, Object], Object], openapi: str) -> Object:
        """Everything the kinds and their lists refer to."""
        wanted = [_META + "DeleteOptions", _META + "Patch", _META + "Status", _META + "WatchEvent"]
        custom: dict[str, Object] = {}
        for kind in kinds:
            if kind.custom is not None:
                custom |= kind.custom.definitions(kind, openapi=openapi)
            bodies = {(sub.group, sub.version, sub.kind) for sub in kind.subresources}
            bodies |= {(kind.group, kind.version, kind.kind), (kind.group, kind.version, kind.kind + "List")}
            wanted += [name for body in bodies if (name := self._types.name_of(*body))]
        definitions = collections.ChainMap(custom, self._types.definitions)
        wanted += custom
        found: Object = {}
        while wanted:
            name = wanted.pop()
            if name not in found and name in definitions:
                definition = definitions[name]
                found[name] = convert(name, definition)
                wanted += _references(definition)
        return dict(sorted(found.items()))


def _under(kinds: Iterable[Kind], path: str) -> list[Kind]:
    return [kind for kind in kinds if kind.path[1:] == path]


def _references(definition: Any) -> list[str]:
    if isinstance(definition, dict):
        reference = definition.get("$ref")
        found = [reference.removeprefix("#/$defs/")] if isinstance(reference, str) else []
        return found + [name for value in definition.values() for name in _references(value)]
    if isinstance(definition, list):
        return [name for value in definition for name in _references(value)]
    return []


# Schemas: the package's rewriting is undone.


def _v3_schema(name: str, definition: Object) -> Object:
    if name == _QUANTITY:
        return {**definition, "oneOf": [{"type": "string"}, {"type": "number"}]}
    if name == _INT_OR_STRING:
        return {**definition, "format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
    return _schema(definition, _V3)


def _v2_schema(name: str, definition: Object) -> Object:
    if name in (_QUANTITY, _INT_OR_STRING):
        plain = {key: value for key, value in definition.items() if key != "oneOf"}
        return {**plain, "type": "string", **({"format": "int-or-string"} if name == _INT_OR_STRING else {})}
    return _schema(definition, _V2)


def _schema(definition: Object, prefix: str) -> Object:
    reference = definition.get("$ref")
    if isinstance(reference, str):
        target = {"$ref": prefix + reference.removeprefix("#/$defs/")}
        rest = {key: value for key, value in definition.items() if key != "$ref"}
        if not rest:
            return target
        # A reference allows no neighbours in v3; v2's readers take them.
        return {**rest, "allOf": [target]} if prefix == _V3 else {**rest, **target}
    result: Object = {}
    for key, value in definition.items():
        if key == "type":
            result[key] = _plain_type(value)
        elif key == "properties":
            result[key] = {field: _field(field, inner, prefix) for field, inner in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _schema(value, prefix)
        else:
            result[key] = value
    return result


def _field(name: str, definition: Object, prefix: str) -> Object:
    if name in ("apiVersion", "kind") and "enum" in definition:
        definition = {key: value for key, value in definition.items() if key != "enum"}
    return _schema(definition, prefix)


def _plain_type(declared: Any) -> Any:
    return next((one for one in declared if one != "null"), "object") if isinstance(declared, list) else declared


# Operations. A builder takes an `_Operation` and gives its JSON in the form of one OpenAPI version.


class _Operation:
    """One method on one address, before it takes the form of either version."""

    def __init__(
        self, kind: Kind, action: str, identifier: str, body: str | None, answer: str | None, parameters: Parameters
    ) -> None:
        self.action, self.identifier, self.body, self.answer, self.parameters = (
            action,
            identifier,
            body,
            answer,
            parameters,
        )
        self.tag = _snake(kind)
        self.patch_types = _PATCH_TYPES if kind.custom is None else _CUSTOM_PATCH_TYPES
        self.gvk = {"group": kind.group, "kind": kind.kind, "version": kind.version}

    @property
    def code(self) -> str:
        return "201" if self.action == "post" else "200"


def _extensions(operation: _Operation) -> Object:
    return {
        "tags": [operation.tag],
        "operationId": operation.identifier,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": operation.gvk,
    }


def _v3_operation(operation: _Operation) -> Object:
    def content(name: str | None, media_types: Iterable[str] = _MEDIA_TYPES) -> Object:
        schema_of = {"schema": {"$ref": _V3 + name}} if name else {"schema": {"type": "string"}}
        return {"content": dict.fromkeys(media_types, schema_of)}

    result = _extensions(operation)
    result["parameters"] = [
        {"name": name, "in": "query", "description": text, "schema": {"type": kind, "uniqueItems": True}}
        for name, (kind, text) in operation.parameters.items()
    ]
    if operation.body:
        is_patch = operation.action == "patch"
        body_types = operation.patch_types if is_patch else ("*/*",)
        result["requestBody"] = {"required": True, **content(operation.body, body_types)}
    result["responses"] = {
        operation.code: {"description": "OK", **content(operation.answer)},
        "401": {"description": "Unauthorized"},
    }
    return result


def _v2_operation(operation: _Operation) -> Object:
    result = _extensions(operation)
    result["consumes"] = list(operation.patch_types) if operation.action == "patch" else ["*/*"]
    result["produces"] = list(_MEDIA_TYPES)
    result["schemes"] = ["https"]
    result["parameters"] = [
        {"name": name, "in": "query", "description": text, "type": kind, "uniqueItems": True}
        for name, (kind, text) in operation.parameters.items()
    ]
    if operation.body:
        body = {"name": "body", "in": "body", "required": True, "schema": {"$ref": _V2 + operation.body}}
        result["parameters"].append(body)
    answer = {"$ref": _V2 + operation.answer} if operation.answer else {"type": "string"}
    result["responses"] = {
        operation.code: {"description": "OK", "schema": answer},
        "401": {"description": "Unauthorized"},
    }
    return result


class _Paths:
    """The addresses of one kind."""

    def __init__(self, kind: Kind, types: schema.Schema, build: Callable[[_Operation], Object]) -> None:
        self._kind, self._types, self._build = kind, types, build
        self._v3 = build is _v3_operation
        if kind.custom is not None:
            self._name: str | None = kind.custom.name
            self._list: str | None = f"{kind.custom.name}List"
        else:
            self._name = types.name_of(kind.group, kind.version, kind.kind)
            self._list = types.name_of(kind.group, kind.version, kind.kind + "List")
        self._scope = "Namespaced" if kind.namespaced else ""

    def all(self) -> Object:
        kind = self._kind
        inside = (
            f"{kind.path}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{kind.path}/{kind.plural}"
        )
        found = {inside: self._collection(), f"{inside}/{{name}}": self._item()}
        if kind.namespaced and "list" in kind.verbs:
            everywhere = self._one("list", f"list{_pascal(kind)}{kind.kind}ForAllNamespaces", None, self._list, _LIST)
            found[f"{kind.path}/{kind.plural}"] = {"get": everywhere}
        for sub in kind.subresources:
            found[f"{inside}/{{name}}/{sub.name}"] = self._subresource(sub)
        return found

    def _collection(self) -> Object:
        verbs = self._kind.verbs
        item: Object = {"parameters": self._place(named=False)}
        if "list" in verbs:
            item["get"] = self._one("list", self._identifier("list"), None, self._list, _LIST)
        if "create" in verbs:
            item["post"] = self._one("post", self._identifier("create"), self._name, self._name, _WRITE)
        if "deletecollection" in verbs:
            identifier = f"delete{_pascal(self._kind)}Collection{self._scope}{self._kind.kind}"
            everything = {**_LIST, **_DELETE}
            item["delete"] = self._one(
                "deletecollection", identifier, _META + "DeleteOptions", _META + "Status", everything
            )
        return item

    def _item(self) -> Object:
        kind, name = self._kind, self._name
        item: Object = {"parameters": self._place(named=True)}
        if "get" in kind.verbs:
            item["get"] = self._one("get", self._identifier("read"), None, name, {})
        if "update" in kind.verbs:
            item["put"] = self._one("put", self._identifier("replace"), name, name, _WRITE)
        if "patch" in kind.verbs:
            item["patch"] = self._one("patch", self._identifier("patch"), _META + "Patch", name, _PATCH)
        if "delete" in kind.verbs:
            answer = _META + "Status" if kind.deletes_to_status else name
            item["delete"] = self._one("delete", self._identifier("delete"), _META + "DeleteOptions", answer, _DELETE)
        return item

    def _subresource(self, sub: Subresource) -> Object:
        is_whole = sub.kind == self._kind.kind and sub.group == self._kind.group
        body = self._name if is_whole else self._types.name_of(sub.group, sub.version, sub.kind)
        suffix = sub.name.capitalize()
        item: Object = {"parameters": self._place(named=True)}
        if "get" in sub.verbs:
            item["get"] = self._one("get", self._identifier("read", suffix), None, body, {})
        if "create" in sub.verbs:
            item["post"] = self._one("post", self._identifier("create", suffix), body, body, _WRITE if body else {})
        if "update" in sub.verbs:
            item["put"] = self._one("put", self._identifier("replace", suffix), body, body, _WRITE)
        if "patch" in sub.verbs:
            identifier = self._identifier("patch", suffix)
            item["patch"] = self._one("patch", identifier, _META + "Patch", body, _PATCH)
        return item

    def _one(
        self, action: str, identifier: str, body: str | None, answer: str | None, parameters: Parameters
    ) -> Object:
        return self._build(_Operation(self._kind, action, identifier, body, answer, {**parameters, **_PRETTY}))

    def _identifier(self, verb: str, suffix: str = "") -> str:
        return f"{verb}{_pascal(self._kind)}{self._scope}{self._kind.kind}{suffix}"

    def _place(self, *, named: bool) -> list[Object]:
        texts = {"name": f"name of the {self._kind.kind}"} if named else {}
        if self._kind.namespaced:
            texts["namespace"] = "object name and auth scope, such as for teams and projects"
        form: Object = {"schema": {"type": "string", "uniqueItems": True}} if self._v3 else {"type": "string"}
        return [
            {"name": name, "in": "path", "required": True, "description": text, **form} for name, text in texts.items()
        ]


def _short_group(kind: Kind) -> str:
    return kind.group.removesuffix(".k8s.io") or "core"


def _pascal(kind: Kind) -> str:
    """`CoreV1`, `RbacAuthorizationV1`: what generated clients name their methods by."""
    return (
        "".join(part.capitalize() for part in _short_group(kind).replace("-", ".").split("."))
        + kind.version.capitalize()
    )


def _snake(kind: Kind) -> str:
    return "_".join((*_short_group(kind).replace("-", ".").split("."), kind.version))
