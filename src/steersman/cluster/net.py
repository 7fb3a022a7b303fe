"""`steersman net trace POD SERVICE`: looks into the nodes' network namespaces and prints a packet's way."""

import ipaddress
import os
import sys
from collections.abc import Sequence
from typing import Any

from steersman.cluster import options, paths, rootless, trace
from steersman.cluster.api_access import ApiAccess
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.network import libnftables, netlink
from steersman.network.policy import decide as policies

_NETWORKING = "/apis/networking.k8s.io/v1"


class Unanswerable(Exception):
    """Why there is nothing to trace."""


def run(pod: str, service: str, namespace: str, port: int, name: str, data_dir: str | None) -> int:
    where = paths.of_cluster(name, data_dir)
    known = options.load(where.options)
    if known is None:
        print(f'There is no cluster "{name}".', file=sys.stderr)
        return 3
    api = ApiAccess(where, known.port)
    try:
        asked = _asked(api, pod, service, namespace, port, known.node_names())
    except Unanswerable as why:
        print(why, file=sys.stderr)
        return 1
    if os.geteuid() != 0:
        rootless.enter(where.namespace_holder)
    views: dict[str, Namespace] = {}

    def at(node: str) -> Namespace:
        if node not in views:
            views[node] = Namespace(str(where.run / "nodes" / node / "net"))
        return views[node]

    try:
        found = trace.steps(asked, at)
    except OSError as refused:
        print(f"cannot look into a node's network: {refused}", file=sys.stderr)
        return 1
    print(trace.format(trace.title(asked), found))
    return 0


class Namespace:
    """A node's network, as the kernel has it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._nftables = libnftables.Context(path)

    def element(self, table: str, name: str, key: str) -> str | None:
        try:
            listing = self._nftables.run(f"get element {table} {name} {{ {key} }}\n")
        except libnftables.Refused:
            return None
        found = listing.partition("elements = {")[2].partition("}")[0].strip()
        _, colon, value = found.rpartition(" : ")
        return value.strip() if colon else ""

    def route(self, address: str) -> str:
        """The longest match of the main table."""
        parsed = ipaddress.ip_address(address)
        with netlink.Netlink(self._path) as kernel:
            links = {link.index: link.name for link in kernel.links()}
            fitting = [
                route for route in kernel.routes(parsed.version) if parsed in ipaddress.ip_network(route.destination)
            ]
        if not fitting:
            return ""
        best = max(fitting, key=lambda route: ipaddress.ip_network(route.destination).prefixlen)
        if best.unreachable:
            return f"{best.destination} is unreachable"
        via = f" via {best.gateway}" if best.gateway else ""
        return f"{best.destination}{via} dev {links.get(best.index, '?')}"


def _asked(api: ApiAccess, pod: str, service: str, namespace: str, port: int, own_nodes: Sequence[str]) -> trace.Asked:
    """Raises Unanswerable."""
    space, _, pod_name = pod.rpartition("/")
    found_pod = _get(api, "pods", space or namespace, pod_name)
    space, _, service_name = service.rpartition("/")
    found_service = _get(api, "services", space or namespace, service_name)
    if not found_pod["spec"].get("nodeName") or not (found_pod.get("status") or {}).get("podIPs"):
        raise Unanswerable(f"Pod {objects.key(found_pod)} has no address yet.")
    if found_pod["spec"]["nodeName"] not in own_nodes:
        where = found_pod["spec"]["nodeName"]
        raise Unanswerable(
            f"Pod {objects.key(found_pod)} is on {where}: only nodes of this machine can be looked into."
        )
    spec = found_service["spec"]
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") in (None, "", "None"):
        raise Unanswerable(f"Service {objects.key(found_service)} has no address: DNS leads to its endpoints directly.")
    if found_pod["spec"].get("hostNetwork"):
        raise Unanswerable(f"Pod {objects.key(found_pod)} is on its node's network: only pods' packets are traced.")
    address = spec.get("clusterIPs", [spec["clusterIP"]])[0]
    sources = [one["ip"] for one in found_pod["status"]["podIPs"] if (":" in one["ip"]) == (":" in address)]
    if not sources:
        raise Unanswerable(f"Pod {objects.key(found_pod)} has no address of the family of {address}.")
    ports = [one for one in spec.get("ports") or () if port in (0, one["port"])]
    if not ports:
        raise Unanswerable(f"Service {objects.key(found_service)} has no port {port}.")
    nodes = api.items("/api/v1/nodes")
    program = _program(api, 6 if ":" in address else 4)
    return trace.Asked(
        found_pod,
        sources[0],
        found_service,
        address,
        ports[0],
        lambda one: _node_of(one, nodes),
        program,
        lambda node: node not in own_nodes,
    )


def _get(api: ApiAccess, plural: str, namespace: str, name: str) -> Object:
    found: Any = api.get(f"/api/v1/namespaces/{namespace}/{plural}/{name}")
    if found is None:
        raise Unanswerable(f'{plural} "{name}" not found in namespace {namespace}, or the cluster does not run.')
    return dict(found)


def _program(api: ApiAccess, version: int) -> policies.Program:
    """Of all pods, as if they were on one node."""
    listed = [policies.pod_of(one, one["spec"].get("nodeName", "")) for one in api.items("/api/v1/pods")]
    spaces = {objects.name(one): objects.labels(one) for one in api.items("/api/v1/namespaces")}
    found = api.items(f"{_NETWORKING}/networkpolicies")
    return policies.decide(found, [one for one in listed if one is not None], spaces, version)


def _node_of(address: str, nodes: Sequence[Object]) -> str:
    parsed = ipaddress.ip_address(address)
    for node in nodes:
        for cidr in (node.get("spec") or {}).get("podCIDRs") or ():
            if parsed in ipaddress.ip_network(cidr):
                return objects.name(node)
    return ""
