"""`kubectl cluster-info`: where the control plane and the cluster's own services answer."""

from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.meta.objects import Object

FLAGS: tuple[Flag, ...] = ()
HELP = "Show the addresses of the control plane and of services labeled kubernetes.io/cluster-service=true."
EXAMPLES = """
{program} cluster-info
"""
OF_CLUSTER = "kubernetes.io/cluster-service=true"


async def run(call: Call) -> None:
    host = call.access.server
    path = "/api/v1/namespaces/kube-system/services"
    services = (await call.ask("GET", path, {"labelSelector": OF_CLUSTER}))["items"]
    colored = call.streams.is_output_terminal
    call.print(_line("Kubernetes control plane", host, colored=colored))
    for service in services:
        metadata = service["metadata"]
        name = (metadata.get("labels") or {}).get("kubernetes.io/name") or metadata["name"]
        call.print(_line(name, link(service, host), colored=colored))
    call.print(f"\nTo further debug and diagnose cluster problems, use '{call.program} cluster-info dump'.")


def link(service: Object, host: str) -> str:
    """Where a service is reached from outside: its load balancer's address, or the API server's proxy."""
    spec, metadata = service.get("spec") or {}, service["metadata"]
    ports = spec.get("ports") or []
    ingresses = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    if ingresses:
        address = ingresses[0].get("ip") or ingresses[0].get("hostname", "")
        return "".join(f"http://{address}:{port['port']} " for port in ports)
    name = metadata["name"]
    if ports:
        port = ports[0].get("name", "")
        if port == "https" or ports[0]["port"] == 443:
            name = f"https:{name}:{port}"
        elif port:
            name = f"{name}:{port}"
    return f"{host}/api/v1/namespaces/{metadata['namespace']}/services/{name}/proxy"


def _line(name: str, where: str, *, colored: bool) -> str:
    if colored:
        name, where = f"\x1b[0;32m{name}\x1b[0m", f"\x1b[0;33m{where}\x1b[0m"
    return f"{name} is running at {where}"
