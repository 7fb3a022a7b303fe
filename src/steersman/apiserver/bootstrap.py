"""What every cluster has before anyone asks: namespaces, RBAC roles and bindings, priority classes, `default/kubernetes`.

Keeps true: what is missing is created at each start; what is there and was changed by people stays as they left it, but
for the endpoint of `kubernetes`, which follows the server's address.
"""

import ipaddress
from collections.abc import Sequence

import orjson

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import bootstrap_rbac, keys, metadata
from steersman.meta import times
from steersman.meta.objects import Object
from steersman.store import contract

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_KUBERNETES_LABELS = {"component": "apiserver", "provider": "kubernetes"}
_CAUSE_WHO = "system:apiserver"


async def ensure(
    store: contract.Store, clock: clocks.Clock, service_cidr: str, advertise: tuple[str, int] | None
) -> None:
    """One transaction for all that is missing: a fresh cluster is ready after one write to disk."""
    now = times.format_seconds(clock.now())
    operations: list[contract.Put | contract.Delete] = []
    for kind, wanted in [*_always(service_cidr), *_endpoints(advertise)]:
        meta = wanted["metadata"]
        key = keys.key(kind, meta.get("namespace", ""), meta["name"])
        entry = await store.get(key)
        if entry is None:
            if kind.prepare is not None:
                kind.prepare(wanted, None)
            metadata.fill_new(kind, wanted, uid=clock.uid(), now=now)
            if kind.default is not None:
                kind.default(wanted)
            operations.append(contract.Put(key, keys.head(kind), keys.tail(wanted), 0))
        elif kind in (kinds.ENDPOINTS, kinds.ENDPOINT_SLICE):
            operations.extend(_moved(kind, entry, wanted))
    if operations:
        cause = contract.Cause(_CAUSE_WHO, "bootstrap", 0, times.format_micros(clock.now()))
        await store.txn(operations, cause)


def _moved(kind: Kind, entry: contract.Entry, wanted: Object) -> Sequence[contract.Put]:
    """The stored endpoint with the address of today, when it is another one."""
    stored = orjson.loads(entry.value)
    fields = ("subsets",) if kind is kinds.ENDPOINTS else ("endpoints", "ports")
    if kind.default is not None:
        kind.default(wanted)
    if all(stored.get(field) == wanted.get(field) for field in fields):
        return []
    changed = {**stored, **{field: wanted[field] for field in fields}}
    return [contract.Put(entry.key, keys.head(kind), keys.tail(changed), entry.revision)]


def _always(service_cidr: str) -> list[tuple[Kind, Object]]:
    found = [
        (kinds.NAMESPACE, _object(kinds.NAMESPACE, name, labels={"kubernetes.io/metadata.name": name}))
        for name in NAMESPACES
    ]
    found.extend(bootstrap_rbac.objects())
    found.append(
        (
            kinds.PRIORITY_CLASS,
            _priority(
                "system-cluster-critical",
                2000000000,
                "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
            ),
        )
    )
    found.append(
        (
            kinds.PRIORITY_CLASS,
            _priority(
                "system-node-critical",
                2000001000,
                "Used for system critical pods that must not be moved from their current node.",
            ),
        )
    )
    found.append((kinds.SERVICE, _kubernetes_service(service_cidr)))
    return found


def _object(kind: Kind, name: str, namespace: str = "", labels: dict[str, str] | None = None) -> Object:
    meta: Object = {"name": name}
    if namespace:
        meta["namespace"] = namespace
    if labels:
        meta["labels"] = dict(labels)
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}


def _priority(name: str, value: int, description: str) -> Object:
    return {**_object(kinds.PRIORITY_CLASS, name), "value": value, "description": description}


def first_address(service_cidr: str) -> str:
    """The ClusterIP of `kubernetes`: 10.96.0.1 of 10.96.0.0/16."""
    network = ipaddress.ip_network(service_cidr)
    return str(network.network_address + 1)


def _kubernetes_service(service_cidr: str) -> Object:
    service = _object(kinds.SERVICE, "kubernetes", "default", _KUBERNETES_LABELS)
    address = first_address(service_cidr)
    service["spec"] = {
        "clusterIP": address,
        "clusterIPs": [address],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
    }
    return service


def _endpoints(advertise: tuple[str, int] | None) -> list[tuple[Kind, Object]]:
    """Endpoints and EndpointSlice of `kubernetes`; they have no selector, so no controller makes them."""
    if advertise is None:
        return []
    address, port = advertise
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    skip = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    endpoints = _object(kinds.ENDPOINTS, "kubernetes", "default", skip)
    endpoints["subsets"] = [{"addresses": [{"ip": address}], "ports": ports}]
    found = _object(kinds.ENDPOINT_SLICE, "kubernetes", "default", {"kubernetes.io/service-name": "kubernetes"})
    found["addressType"] = "IPv4"
    found["endpoints"] = [{"addresses": [address], "conditions": {"ready": True}}]
    found["ports"] = ports
    return [(kinds.ENDPOINTS, endpoints), (kinds.ENDPOINT_SLICE, found)]
