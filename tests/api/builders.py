"""Objects with every default a test does not care about."""

from typing import Any

from steersman.api import schema
from steersman.api.kind import Kind
from steersman.meta.objects import Object


def container(name: str = "main", **fields: Any) -> Object:
    return {"name": name, "image": "localhost/hello:1", **fields}


def pod(name: str = "web", status: Object | None = None, **spec: Any) -> Object:
    spec.setdefault("containers", [container()])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
        "status": status or {},
    }


def deployment(name: str = "web", **spec: Any) -> Object:
    spec.setdefault("selector", {"matchLabels": {"app": name}})
    spec.setdefault("template", {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container()]}})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
    }


def service(name: str = "web", **spec: Any) -> Object:
    spec.setdefault("ports", [{"port": 80}])
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def of_kind(kind: Kind, name: str = "x", **fields: Any) -> Object:
    metadata = {"name": name, **({"namespace": "default"} if kind.namespaced else {})}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **fields}


def stored(kind: Kind, obj: Object, old: Object | None = None) -> Object:
    """What the API server would keep of it: decoded, prepared, defaulted."""
    clean, _ = schema.decode(kind, obj)
    if kind.prepare is not None:
        kind.prepare(clean, old)
    if kind.default is not None:
        kind.default(clean)
    return clean


def refused(kind: Kind, new: Object, old: Object | None = None) -> list[str]:
    """The validation errors of an object sent by a client, as text."""
    assert kind.validate is not None
    return [str(error) for error in kind.validate(stored(kind, new, old), old)]
