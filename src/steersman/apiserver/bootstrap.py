"""What every cluster has before anyone asks: namespaces, RBAC roles and bindings, priority classes, the
addresses of Services, `default/kubernetes`.

Keeps true: what is missing is created at each start; what is there and was changed by people stays as they left it, but for the
endpoint of `kubernetes`, which follows the server's address, rules and subjects that default roles and bindings have gained
since, and subjects that were withdrawn.
"""

import contextlib
import ipaddress
from collections.abc import Sequence

import orjson

from steersman.aio import clock as clocks
from steersman.api import ip_addresses, kinds
from steersman.api.kind import Kind
from steersman.api.validation import address_families
from steersman.apiserver import bootstrap_rbac, keys, metadata, token_use, users
from steersman.apiserver.admission import service_addresses
from steersman.meta import conditions, objects, times
from steersman.meta.objects import Object
from steersman.store import contract

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_KUBERNETES_LABELS = {"component": "apiserver", "provider": "kubernetes"}
# Kinds whose objects follow this server, and the fields that do.
_FOLLOWED = {
    kinds.ENDPOINTS: ("subsets",),
    kinds.ENDPOINT_SLICE: ("endpoints", "ports"),
    kinds.CONFIG_MAP: ("data",),
}
# Roles whose rules name what there is today: who acts as nodes on paper acts as none that was one.
_EXACT = frozenset((users.FAKE_NODES,))
_CAUSE_WHO = "system:apiserver"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"


async def ensure(
    store: contract.Store,
    clock: clocks.Clock,
    service_cidrs: Sequence[str],
    advertise: tuple[str, int] | None,
    more: Sequence[tuple[Kind, Object]] = (),
) -> None:
    """Few transactions for all that is missing: a fresh cluster is ready after a write to disk or two.

    `more` are objects of other parts; what they say in ConfigMaps is that of today."""
    while True:
        with contextlib.suppress(contract.Mismatch):  # another server starts at the same time
            await _ensure(store, clock, service_cidrs, advertise, more)
            return


async def _ensure(
    store: contract.Store,
    clock: clocks.Clock,
    service_cidrs: Sequence[str],
    advertise: tuple[str, int] | None,
    more: Sequence[tuple[Kind, Object]],
) -> None:
    """Raises Mismatch."""
    now = times.format_seconds(clock.now())
    operations: list[contract.Put | contract.Delete] = []
    for kind, wanted in [*_always(service_cidrs, now), *_endpoints(advertise), *more]:
        meta = wanted["metadata"]
        key = keys.key(kind, meta.get("namespace", ""), meta["name"])
        entry = await store.get(key)
        if entry is None:
            status = wanted.get("status")
            if kind.prepare is not None:
                kind.prepare(wanted, None)
            if status is not None:
                wanted["status"] = status
            metadata.fill_new(kind, wanted, uid=clock.uid(), now=now)
            if kind.default is not None:
                kind.default(wanted)
            operations.append(contract.Put(key, keys.head(kind), keys.tail(wanted), 0))
        elif kind in _FOLLOWED:
            operations.extend(_moved(kind, entry, wanted))
        elif kind is kinds.SERVICE_CIDR:
            operations.extend(_grown(entry, wanted))
        elif kind in (kinds.ROLE, kinds.CLUSTER_ROLE):
            operations.extend(_granted(kind, entry, wanted))
        elif kind in (kinds.ROLE_BINDING, kinds.CLUSTER_ROLE_BINDING):
            operations.extend(_bound(kind, entry, wanted))
    cause = contract.Cause(_CAUSE_WHO, "bootstrap", 0, times.format_micros(clock.now()))
    for start in range(0, len(operations), contract.OPERATIONS_MAX):
        await store.txn(operations[start : start + contract.OPERATIONS_MAX], cause)


def _granted(kind: Kind, entry: contract.Entry, wanted: Object) -> Sequence[contract.Put]:
    """A stored role with the rules that it has by now, unless somebody told it to stay as it is; what was added to it stays."""
    stored = orjson.loads(entry.value)
    rules = stored.get("rules") or []
    given = wanted.get("rules") or ()
    kept = rules if objects.name(wanted) not in _EXACT else [rule for rule in rules if rule in given]
    now = [*kept, *(rule for rule in given if rule not in kept)]
    if now == rules or objects.annotations(stored).get(AUTOUPDATE) != "true" or wanted.get("aggregationRule"):
        return []
    changed = {**stored, "rules": now}
    return [contract.Put(entry.key, keys.head(kind), keys.tail(changed), entry.revision)]


def _bound(kind: Kind, entry: contract.Entry, wanted: Object) -> Sequence[contract.Put]:
    """A stored binding with the subjects that it has by now, and without those that were withdrawn; as `_granted`."""
    stored = orjson.loads(entry.value)
    subjects = stored.get("subjects") or []
    withdrawn = bootstrap_rbac.WITHDRAWN.get(objects.name(wanted)) if kind is kinds.CLUSTER_ROLE_BINDING else None
    now = [one for one in subjects if one != withdrawn]
    now += [one for one in wanted.get("subjects") or () if one not in now]
    if now == subjects or objects.annotations(stored).get(AUTOUPDATE) != "true":
        return []
    changed = {**stored, "subjects": now}
    return [contract.Put(entry.key, keys.head(kind), keys.tail(changed), entry.revision)]


def _moved(kind: Kind, entry: contract.Entry, wanted: Object) -> Sequence[contract.Put]:
    """The stored object with the fields of today, when they are others."""
    stored = orjson.loads(entry.value)
    fields = _FOLLOWED[kind]
    if kind.default is not None:
        kind.default(wanted)
    if kind is kinds.CONFIG_MAP:  # others may have put more into it
        wanted["data"] = {**(stored.get("data") or {}), **wanted["data"]}
    if all(stored.get(field) == wanted.get(field) for field in fields):
        return []
    changed = {**stored, **{field: wanted[field] for field in fields}}
    return [contract.Put(entry.key, keys.head(kind), keys.tail(changed), entry.revision)]


def _grown(entry: contract.Entry, wanted: Object) -> Sequence[contract.Put]:
    """The cluster's ServiceCIDR with the second address family, when it has one now."""
    stored = orjson.loads(entry.value)
    before, after = stored["spec"]["cidrs"], wanted["spec"]["cidrs"]
    if len(before) >= len(after) or before != after[: len(before)]:
        return []
    changed = {**stored, "spec": wanted["spec"]}
    return [contract.Put(entry.key, keys.head(kinds.SERVICE_CIDR), keys.tail(changed), entry.revision)]


def _always(service_cidrs: Sequence[str], now: str) -> list[tuple[Kind, Object]]:
    found = [
        (kinds.NAMESPACE, _object(kinds.NAMESPACE, name, labels={"kubernetes.io/metadata.name": name}))
        for name in NAMESPACES
    ]
    found.extend(bootstrap_rbac.objects())
    found.append((kinds.CONFIG_MAP, token_use.tracking(now.partition("T")[0])))
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
    found.append((kinds.SERVICE_CIDR, _service_cidr(service_cidrs, now)))
    found.append((kinds.SERVICE, service := _kubernetes_service(service_cidrs[0])))
    found.append((kinds.IP_ADDRESS, ip_addresses.make(service, first_address(service_cidrs[0]))))
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


def _service_cidr(service_cidrs: Sequence[str], now: str) -> Object:
    """Ready from the start: Services are made before any controller runs."""
    ready = conditions.make("Ready", "True", message="Kubernetes default Service CIDR is ready")
    return {
        **_object(kinds.SERVICE_CIDR, service_addresses.DEFAULT_CIDR),
        "spec": {"cidrs": list(service_cidrs)},
        "status": {"conditions": [{**ready, "reason": "", "lastTransitionTime": now}]},
    }


def _kubernetes_service(service_cidr: str) -> Object:
    service = _object(kinds.SERVICE, "kubernetes", "default", _KUBERNETES_LABELS)
    address = first_address(service_cidr)
    service["spec"] = {
        "clusterIP": address,
        "clusterIPs": [address],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": [address_families.family_of(address)],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
    }
    return service


def name_server(address: str) -> list[tuple[Kind, Object]]:
    """The Service people look for. Every node answers at its address by itself, so proxies are told to leave it alone."""
    labels = {
        "k8s-app": "kube-dns",
        "kubernetes.io/cluster-service": "true",
        "kubernetes.io/name": "CoreDNS",
        "service.kubernetes.io/service-proxy-name": "steersman-dns",
    }
    service = _object(kinds.SERVICE, "kube-dns", "kube-system", labels)
    ports = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP")]
    service["spec"] = {
        "clusterIP": address,
        "clusterIPs": [address],
        "type": "ClusterIP",
        "ipFamilies": [address_families.family_of(address)],
        "ipFamilyPolicy": "SingleStack",
        "ports": [{"name": name, "port": port, "protocol": protocol} for name, port, protocol in ports],
    }
    return [(kinds.SERVICE, service), (kinds.IP_ADDRESS, ip_addresses.make(service, address))]


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
    found["addressType"] = address_families.family_of(address)
    found["endpoints"] = [{"addresses": [address], "conditions": {"ready": True}}]
    found["ports"] = ports
    return [(kinds.ENDPOINTS, endpoints), (kinds.ENDPOINT_SLICE, found)]
