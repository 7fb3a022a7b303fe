"""Nodes: what they are, what they have, and which pods take how much of it.

Reads beside the node: its lease, its pods that have not ended, its events.
"""

from collections.abc import Mapping
from typing import Any

from steersman.kubectl.describe import events, pod_amounts
from steersman.kubectl.describe.writing import (
    NONE,
    UNSET,
    Description,
    created,
    flag,
    listed,
    metadata,
    resource_list,
    spec,
    status,
)
from steersman.meta import quantities
from steersman.meta.objects import Object
from steersman.meta.quantities import Quantity

_ROLE_PREFIX, _ROLE = "node-role.kubernetes.io/", "kubernetes.io/role"
_INFO = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
    ("Kube-Proxy Version", "kubeProxyVersion"),
)
_STANDARD = frozenset(("cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory"))
_NO_PERCENT = -(2**63)  # what Go makes of a division by nothing
_ZERO = Quantity(0)


def node(d: Description, obj: Object) -> None:
    d.row(0, "Name:", metadata(obj).get("name", ""))
    d.row(0, "Roles:", ",".join(_roles(obj)) or NONE)
    _labels_and_annotations(d, obj)
    created(d, obj)
    listed(d, "Taints", map(_taint, sorted(spec(obj).get("taints") or (), key=_taint_order)))
    d.row(0, "Unschedulable:", flag(spec(obj).get("unschedulable")))
    _lease(d)
    _conditions(d, obj)
    d.write(0, "Addresses:\n")
    for address in status(obj).get("addresses") or ():
        d.row(1, f"{address.get('type', '')}:", address.get("address", ""))
    for key in ("capacity", "allocatable"):
        if status(obj).get(key):
            d.write(0, f"{key.capitalize()}:\n")
            for resource, amount in resource_list(status(obj)[key]):
                d.row(1, f"{resource}:", amount)
    info = status(obj).get("nodeInfo") or {}
    d.write(0, "System Info:\n")
    for title, key in _INFO:
        d.row(1, f"{title}:", info.get(key, ""))
    for title, value in (
        ("PodCIDR", spec(obj).get("podCIDR")),
        ("PodCIDRs", ",".join(spec(obj).get("podCIDRs") or ())),
        ("ProviderID", spec(obj).get("providerID")),
    ):
        if value:
            d.row(0, f"{title}:", value)
    if d.seen.pods_error:
        d.row(0, "Pods:", "not authorized")
    else:
        _pods(d, obj)
        _allocated(d, obj)
    events.write(d)


def _labels_and_annotations(d: Description, obj: Object) -> None:
    from steersman.kubectl.describe.writing import annotations, labels

    labels(d, "Labels", metadata(obj).get("labels"))
    annotations(d, "Annotations", metadata(obj).get("annotations"))


def _roles(obj: Object) -> list[str]:
    found: set[str] = set()
    for key, value in (metadata(obj).get("labels") or {}).items():
        if key.startswith(_ROLE_PREFIX):
            found.add(key.removeprefix(_ROLE_PREFIX))
        elif key == _ROLE:
            found.add(value)
    return sorted(found - {""})


def _taint_order(taint: Object) -> str:
    return f"{taint.get('effect', '')},{taint.get('key', '')}"


def _taint(taint: Object) -> str:
    key, value, effect = (taint.get(part) or "" for part in ("key", "value", "effect"))
    if not effect:
        return f"{key}={value}:" if value else key
    return f"{key}={value}:{effect}" if value else f"{key}:{effect}"


def _lease(d: Description) -> None:
    refused = d.seen.others.get("lease_error")
    if refused:
        d.row(0, "Lease:", f"Failed to get lease: {refused}")
        return
    lease = (d.seen.others.get("lease") or {}).get("spec") or {}
    d.write(0, "Lease:\n")
    d.row(1, "HolderIdentity:", UNSET if lease.get("holderIdentity") is None else lease["holderIdentity"])
    for title, key in (("AcquireTime", "acquireTime"), ("RenewTime", "renewTime")):
        d.row(1, f"{title}:", d.time(lease[key]) if lease.get(key) else UNSET)


def _conditions(d: Description, obj: Object) -> None:
    found = status(obj).get("conditions") or ()
    if not found:
        return
    d.write(0, "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage\n")
    d.row(1, "----", "------", "-----------------", "------------------", "------", "-------")
    for one in found:
        cells = (
            one.get("type", ""),
            one.get("status", ""),
            d.time(one.get("lastHeartbeatTime")),
            d.time(one.get("lastTransitionTime")),
            one.get("reason", ""),
        )
        d.row(1, *(f"{cell} " for cell in cells), one.get("message", ""))


def _pods(d: Description, obj: Object) -> None:
    pods = d.seen.pods
    d.row(0, "Non-terminated Pods:", f"({len(pods)} in total)")
    d.row(1, "Namespace", "Name", "", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age")
    d.row(1, "---------", "----", "", "------------", "----------", "---------------", "-------------", "---")
    there = _allocatable(obj)
    for pod in pods:
        asked, most = pod_amounts.requests(pod), pod_amounts.limits(pod)
        shares = [_share(amounts, key, there) for key in ("cpu", "memory") for amounts in (asked, most)]
        age = d.since(metadata(pod).get("creationTimestamp"))
        d.row(1, metadata(pod).get("namespace", ""), metadata(pod).get("name", ""), "", *shares, age)


def _allocatable(obj: Object) -> Mapping[str, Any]:
    return status(obj).get("allocatable") or status(obj).get("capacity") or {}


def _share(amounts: pod_amounts.Amounts, key: str, there: Mapping[str, Any], *, guarded: bool = False) -> str:
    """`500m (25%)`."""
    amount, whole = amounts.get(key, _ZERO), quantities.parse(str(there.get(key, "0")))
    part, all_of_it = (amount.millis, whole.millis) if key == "cpu" else (amount.whole, whole.whole)
    percent = int(part / all_of_it * 100) if all_of_it else 0 if guarded else _NO_PERCENT
    return f"{amount} ({percent}%)"


def _allocated(d: Description, obj: Object) -> None:
    d.write(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)\n")
    d.row(1, "Resource", "Requests", "Limits")
    d.row(1, "--------", "--------", "------")
    asked: pod_amounts.Amounts = {}
    most: pod_amounts.Amounts = {}
    for pod in d.seen.pods:
        pod_amounts.add(asked, pod_amounts.requests(pod, as_running=False))
        pod_amounts.add(most, pod_amounts.limits(pod, as_running=False))
    there = _allocatable(obj)
    huge = sorted(key for key in there if key.startswith("hugepages-"))
    for key in ("cpu", "memory", "ephemeral-storage", *huge):
        d.row(1, key, _share(asked, key, there, guarded=True), _share(most, key, there, guarded=True))
    for key in sorted(there):
        if key not in huge and key not in _STANDARD and key != "pods":
            d.row(1, key, asked.get(key, _ZERO), most.get(key, _ZERO))
