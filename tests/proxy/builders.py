"""Services and EndpointSlices with defaults: one line per fact that matters."""

from typing import Any

from steersman.meta.objects import Object


def service(name: str = "web", address: str = "10.96.0.1", *ports: Object, labels: Any = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "d", "labels": labels or {}},
        "spec": {"type": "ClusterIP", "clusterIP": address, "ports": list(ports) or [port()], **spec},
    }


def port(number: int = 80, name: str = "", protocol: str = "TCP", node_port: int = 0) -> Object:
    found: Object = {"port": number, "protocol": protocol}
    if name:
        found["name"] = name
    if node_port:
        found["nodePort"] = node_port
    return found


def endpoint(address: str, node: str = "n1", **conditions: bool) -> Object:
    return {"addresses": [address], "nodeName": node, "conditions": conditions}


def endpoint_slice(
    *endpoints: Object, of: str = "web", name: str = "", number: int = 8080, protocol: str = "TCP", suffix: str = "1"
) -> Object:
    return {
        "metadata": {
            "name": f"{of}-{suffix}",
            "namespace": "d",
            "labels": {"kubernetes.io/service-name": of},
        },
        "addressType": "IPv4",
        "ports": [{"name": name, "port": number, "protocol": protocol}],
        "endpoints": list(endpoints),
    }
