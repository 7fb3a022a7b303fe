"""How volumes, claims and the kinds of storage.k8s.io print."""

import datetime
from typing import Any

from steersman.api import volumes
from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

_MODE = Column("VolumeMode", priority=1, field="spec.volumeMode")

VOLUME_COLUMNS = (
    cells.NAME,
    Column("Capacity", field="spec.capacity"),
    Column("Access Modes", field="spec.accessModes"),
    Column("Reclaim Policy", field="spec.persistentVolumeReclaimPolicy"),
    Column("Status", field="status.phase"),
    Column("Claim", field="spec.claimRef"),
    Column("StorageClass", field="spec.storageClassName"),
    Column("VolumeAttributesClass", field="spec.volumeAttributesClassName"),
    Column("Reason", field="status.reason"),
    cells.AGE,
    _MODE,
)

CLAIM_COLUMNS = (
    cells.NAME,
    Column("Status", field="status.phase"),
    Column("Volume", field="spec.volumeName"),
    Column("Capacity", field="status.capacity"),
    Column("Access Modes", field="status.accessModes"),
    Column("StorageClass", field="spec.storageClassName"),
    Column("VolumeAttributesClass", field="spec.volumeAttributesClassName"),
    cells.AGE,
    _MODE,
)

CLASS_COLUMNS = (
    cells.NAME,
    Column("Provisioner", field="provisioner"),
    Column("ReclaimPolicy", field="reclaimPolicy"),
    Column("VolumeBindingMode", field="volumeBindingMode"),
    Column("AllowVolumeExpansion", field="allowVolumeExpansion"),
    cells.AGE,
)

ATTRIBUTES_CLASS_COLUMNS = (cells.NAME, Column("DriverName", field="driverName"), cells.AGE)

DRIVER_COLUMNS = (
    cells.NAME,
    Column("AttachRequired", "boolean", field="spec.attachRequired"),
    Column("PodInfoOnMount", "boolean", field="spec.podInfoOnMount"),
    Column("StorageCapacity", "boolean", field="spec.storageCapacity"),
    Column("TokenRequests", field="spec.tokenRequests"),
    Column("RequiresRepublish", "boolean", field="spec.requiresRepublish"),
    Column("Modes", field="spec.volumeLifecycleModes"),
    cells.AGE,
)

CSI_NODE_COLUMNS = (cells.NAME, Column("Drivers", "integer", field="spec.drivers"), cells.AGE)

CAPACITY_COLUMNS = (
    cells.NAME,
    Column("StorageClassName", field="storageClassName"),
    Column("Capacity", field="capacity"),
)

ATTACHMENT_COLUMNS = (
    cells.NAME,
    Column("Attacher", field="spec.attacher", format="name"),
    Column("PV", field="spec.source.persistentVolumeName"),
    Column("Node", field="spec.nodeName"),
    Column("Attached", "boolean", field="status.attached"),
    cells.AGE,
)


def volume(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    claim = spec.get("claimRef") or {}
    return [
        cells.name(obj),
        (spec.get("capacity") or {}).get("storage", "0"),
        volumes.short_modes(spec.get("accessModes") or ()),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        volumes.class_of(obj),
        spec.get("volumeAttributesClassName") or cells.UNSET,
        status.get("reason", ""),
        cells.age(obj, now),
        spec.get("volumeMode") or cells.UNSET,
    ]


def claim(obj: Object, now: datetime.datetime) -> list[Any]:
    """Size and modes are the volume's, once there is one."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    name = spec.get("volumeName", "")
    return [
        cells.name(obj),
        _phase(obj),
        name,
        (status.get("capacity") or {}).get("storage", "0") if name else "",
        volumes.short_modes(status.get("accessModes") or ()) if name else "",
        volumes.class_of(obj),
        spec.get("volumeAttributesClassName") or cells.UNSET,
        cells.age(obj, now),
        spec.get("volumeMode") or cells.UNSET,
    ]


def storage_class(obj: Object, now: datetime.datetime) -> list[Any]:
    name = cells.name(obj)
    return [
        f"{name} (default)" if volumes.is_default_class(obj) else name,
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate",
        "true" if obj.get("allowVolumeExpansion") else "false",
        cells.age(obj, now),
    ]


def attributes_class(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), obj.get("driverName", ""), cells.age(obj, now)]


def driver(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    audiences = [str(one.get("audience", "")) for one in spec.get("tokenRequests") or ()]
    return [
        cells.name(obj),
        spec.get("attachRequired", True),
        spec.get("podInfoOnMount", False),
        spec.get("storageCapacity", False),
        ",".join(audiences) if audiences else cells.UNSET,
        spec.get("requiresRepublish", False),
        ",".join(spec.get("volumeLifecycleModes") or ()) or cells.NONE,
        cells.age(obj, now),
    ]


def csi_node(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), len((obj.get("spec") or {}).get("drivers") or ()), cells.age(obj, now)]


def capacity(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), obj.get("storageClassName", ""), obj.get("capacity") or cells.UNSET]


def attachment(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        cells.name(obj),
        spec.get("attacher", ""),
        (spec.get("source") or {}).get("persistentVolumeName", ""),
        spec.get("nodeName", ""),
        bool(status.get("attached")),
        cells.age(obj, now),
    ]


def _phase(obj: Object) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str((obj.get("status") or {}).get("phase", ""))
