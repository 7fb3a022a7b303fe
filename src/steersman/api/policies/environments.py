"""Which variables the expressions of admission have: the objects, the request, parameters, the namespace, the authorizer.

Objects are dynamic: policies match many kinds. Request and namespace have types.
Source: apiserver's admission/plugin/cel/compile.go.
"""

import functools
from collections.abc import Mapping
from typing import Any

from steersman.api.cel import conversions, types
from steersman.api.cel.environment import Environment
from steersman.api.cel.library import authorization
from steersman.api.cel.types import BOOL, DYN, INT, STRING, TIMESTAMP, Type
from steersman.api.policies import messages
from steersman.meta.objects import Object

REQUEST_RESOURCE = "authorizer.requestResource"

Inputs = Mapping[str, Any]
"""Values of variables by name."""


def _struct(name: str, fields: Mapping[str, Type]) -> Type:
    known = {field: (one, field) for field, one in fields.items()}
    return types.struct(name, known.get)


def _texts(*names: str) -> dict[str, Type]:
    return dict.fromkeys(names, STRING)


_TEXTS, _TEXT_MAP = types.list_of(STRING), types.map_of(STRING, STRING)
_KIND = _struct("kubernetes.GroupVersionKind", _texts("group", "version", "kind"))
_RESOURCE = _struct("kubernetes.GroupVersionResource", _texts("group", "version", "resource"))
USER = _struct(
    "kubernetes.UserInfo",
    {**_texts("username", "uid"), "groups": _TEXTS, "extra": types.map_of(STRING, _TEXTS)},
)
REQUEST = _struct(
    "kubernetes.AdmissionRequest",
    {
        "kind": _KIND,
        "resource": _RESOURCE,
        "requestKind": _KIND,
        "requestResource": _RESOURCE,
        **_texts("subResource", "requestSubResource", "name", "namespace", "operation"),
        "userInfo": USER,
        "dryRun": BOOL,
        "options": DYN,
    },
)
_METADATA = _struct(
    "kubernetes.NamespaceMetadata",
    {
        **_texts("name", "generateName", "namespace", "UID", "resourceVersion"),
        "labels": _TEXT_MAP,
        "annotations": _TEXT_MAP,
        "creationTimestamp": TIMESTAMP,
        "deletionTimestamp": TIMESTAMP,
        "deletionGracePeriodSeconds": INT,
        "generation": INT,
        "finalizers": _TEXTS,
    },
)
NAMESPACE = _struct(
    "kubernetes.Namespace",
    {
        "metadata": _METADATA,
        "spec": _struct("kubernetes.NamespaceSpec", {"finalizers": _TEXTS}),
        "status": _struct("kubernetes.NamespaceStatus", _texts("phase")),
    },
)


def variables(
    *, params: Type | None = None, authorizer: bool = True, of_object: Type = DYN, composed: Type | None = None
) -> dict[str, Type]:
    """By name. `params` None: the policy has none; `composed` is the type of `variables`."""
    found: dict[str, Type] = {"object": of_object, "oldObject": of_object, "request": REQUEST}
    if params is not None:
        found["params"] = params
    found["namespaceObject"] = NAMESPACE
    if authorizer:
        found["authorizer"] = authorization.AUTHORIZER
        found[REQUEST_RESOURCE] = authorization.RESOURCE_CHECK
    if composed is not None:
        found["variables"] = composed
    return found


@functools.lru_cache(maxsize=8)
def of_conditions(*, has_params: bool = False) -> Environment:
    """That of matchConditions, which know no composed variables."""
    return Environment(variables(params=DYN if has_params else None))


def of_mutations(declared: Mapping[str, Type]) -> Environment:
    """With the types that mutations are made of."""
    return Environment(declared, messages=messages.Objects())


def request_value(request: Object) -> Object:
    """An AdmissionRequest as `request`: without the objects, which are variables of their own."""
    hidden = ("object", "oldObject", "uid")
    return {name: value for name, value in request.items() if name not in hidden and value is not None}


def namespace_value(namespace: Object | None) -> Object | None:
    """A Namespace as `namespaceObject`: only what its type has."""
    if namespace is None:
        return None
    meta = dict(namespace.get("metadata") or {})
    meta.pop("managedFields", None)
    meta.pop("ownerReferences", None)
    if "uid" in meta:
        meta["UID"] = meta.pop("uid")
    for field in ("creationTimestamp", "deletionTimestamp"):
        if meta.get(field):
            meta[field] = conversions.parse_timestamp(meta[field])
    found: Object = {"metadata": meta}
    for part, field in (("spec", "finalizers"), ("status", "phase")):
        inner = namespace.get(part) or {}
        found[part] = {field: inner[field]} if field in inner else {}
    return found
