"""How Nodes, Namespaces, Leases, PriorityClasses and ComponentStatuses print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import conditions, times
from steersman.meta.objects import Object

NODE_COLUMNS = (
    cells.NAME,
    Column("Status", description="The status of the node"),
    Column("Roles", description="The roles of the node"),
    cells.AGE,
    Column("Version", field="status.nodeInfo.kubeletVersion"),
    Column("Internal-IP", priority=1, field="status.addresses"),
    Column("External-IP", priority=1, field="status.addresses"),
    Column("OS-Image", priority=1, field="status.nodeInfo.osImage"),
    Column("Kernel-Version", priority=1, field="status.nodeInfo.kernelVersion"),
    Column("Container-Runtime", priority=1, field="status.nodeInfo.containerRuntimeVersion"),
)

NAMESPACE_COLUMNS = (cells.NAME, Column("Status", description="The status of the namespace"), cells.AGE)


LEASE_CANDIDATE_COLUMNS = (
    cells.NAME,
    Column("LeaseName", field="spec.leaseName"),
    Column("BinaryVersion", field="spec.binaryVersion"),
    Column("EmulationVersion", field="spec.emulationVersion"),
    Column("Strategy", field="spec.strategy"),
    cells.AGE,
)

LEASE_COLUMNS = (cells.NAME, Column("Holder", field="spec.holderIdentity"), cells.AGE)

PRIORITY_CLASS_COLUMNS = (
    cells.NAME,
    Column("Value", "integer", field="value"),
    Column("Global-Default", "boolean", field="globalDefault"),
    cells.AGE,
    Column("PreemptionPolicy", field="preemptionPolicy"),
)

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE = "kubernetes.io/role"


COMPONENT_STATUS_COLUMNS = (
    cells.NAME,
    Column("Status", description="Status of the component conditions"),
    Column("Message", description="Message of the component conditions"),
    Column("Error", description="Error of the component conditions"),
)


def node(obj: Object, now: datetime.datetime) -> list[Any]:
    info = (obj.get("status") or {}).get("nodeInfo") or {}
    return [
        cells.name(obj),
        _node_status(obj),
        ",".join(_roles(obj)) or cells.NONE,
        cells.age(obj, now),
        info.get("kubeletVersion", ""),
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.get("osImage") or times.UNKNOWN,
        info.get("kernelVersion") or times.UNKNOWN,
        info.get("containerRuntimeVersion") or times.UNKNOWN,
    ]


def namespace(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), (obj.get("status") or {}).get("phase", ""), cells.age(obj, now)]


def lease(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), (obj.get("spec") or {}).get("holderIdentity", ""), cells.age(obj, now)]


def lease_candidate(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    named = (spec.get(field, "") for field in ("leaseName", "binaryVersion", "emulationVersion", "strategy"))
    return [cells.name(obj), *named, cells.age(obj, now)]


def priority_class(obj: Object, now: datetime.datetime) -> list[Any]:
    return [
        cells.name(obj),
        obj.get("value", 0),
        obj.get("globalDefault", False),
        cells.age(obj, now),
        obj.get("preemptionPolicy", ""),
    ]


def _node_status(obj: Object) -> str:
    ready = conditions.get(obj, "Ready")
    text = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return f"{text},SchedulingDisabled" if (obj.get("spec") or {}).get("unschedulable") else text


def _roles(obj: Object) -> list[str]:
    labels = obj["metadata"].get("labels") or {}
    found = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    found.add(labels.get(_ROLE, ""))
    return sorted(found - {""})


def _address(obj: Object, wanted: str) -> str:
    addresses = (obj.get("status") or {}).get("addresses") or ()
    return next((one.get("address", "") for one in addresses if one.get("type") == wanted), cells.NONE)


def component_status(obj: Object, now: datetime.datetime) -> list[Any]:
    found = next((one for one in obj.get("conditions") or () if one.get("type") == "Healthy"), None)
    if found is None:
        return [cells.name(obj), "Unknown", "", ""]
    status = "Healthy" if found.get("status") == "True" else "Unhealthy"
    return [cells.name(obj), status, found.get("message", ""), found.get("error", "")]
