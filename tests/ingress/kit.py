"""Builders with defaults, and a look into a cluster that is a few dicts."""

from collections.abc import Iterable, Mapping
from typing import Any

from steersman.ingress.wanted import Look
from steersman.meta import objects
from steersman.meta.objects import Object


def ingress(name: str = "web", *paths: tuple[str, str, str], host: str = "a.test", **spec: Any) -> Object:
    """`paths` are (path, type, service)."""
    made = [{"path": path, "pathType": kind, "backend": to(service)} for path, kind, service in paths]
    rules = [{"host": host, "http": {"paths": made}}] if paths else []
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": "2026-01-01T00:00:00Z"}
    rules = [{key: value for key, value in rule.items() if value} for rule in rules]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": {"ingressClassName": "steersman", "rules": rules, **spec},
    }


def to(service: str, port: int | str = 80) -> Object:
    return {"service": {"name": service, "port": {"name" if isinstance(port, str) else "number": port}}}


def service(name: str, port: int = 80, *, protocol: str = "", **spec: Any) -> Object:
    ports = [{"name": "http", "port": port, "protocol": "TCP", **({"appProtocol": protocol} if protocol else {})}]
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": ports, **spec}}


def endpoint_slice(service_name: str, port: int, *addresses: str, **conditions: bool) -> Object:
    return {
        "metadata": {
            "name": service_name,
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True, **conditions}} for address in addresses],
    }


def look(
    services: Iterable[Object] = (), slices: Iterable[Object] = (), certificates: Mapping[str, str] | None = None
) -> Look:
    by_key = {objects.key(one): one for one in services}
    kept = list(slices)
    return Look(
        by_key.get,
        lambda key: [one for one in kept if f"default/{objects.labels(one)['kubernetes.io/service-name']}" == key],
        dict(certificates or {}).get,
    )
