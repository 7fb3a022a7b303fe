"""Defaults of volumes, claims and the kinds of storage.k8s.io."""

from steersman.meta.objects import Object

# What a source of a PersistentVolume fills in (the volumes of pods have theirs in `pods`).
_SOURCES: dict[str, Object] = {
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}


def default_volume(volume: Object) -> None:
    spec = volume.setdefault("spec", {})
    spec["persistentVolumeReclaimPolicy"] = spec.get("persistentVolumeReclaimPolicy") or "Retain"
    spec["volumeMode"] = spec.get("volumeMode") or "Filesystem"
    for field, wanted in _SOURCES.items():
        if field in spec:
            spec[field] = {**wanted, **spec[field]}
    status = volume.setdefault("status", {})
    status["phase"] = status.get("phase") or "Pending"


def default_claim(claim: Object) -> None:
    default_claim_spec(claim.setdefault("spec", {}))
    status = claim.setdefault("status", {})
    status["phase"] = status.get("phase") or "Pending"


def default_claim_spec(spec: Object) -> None:
    """Also of the templates in StatefulSets and pods."""
    spec["volumeMode"] = spec.get("volumeMode") or "Filesystem"
    spec.setdefault("resources", {})


def default_class(storage_class: Object) -> None:
    storage_class["reclaimPolicy"] = storage_class.get("reclaimPolicy") or "Delete"
    storage_class["volumeBindingMode"] = storage_class.get("volumeBindingMode") or "Immediate"


def default_driver(driver: Object) -> None:
    spec = driver.setdefault("spec", {})
    spec.setdefault("attachRequired", True)
    switches = (
        "podInfoOnMount",
        "storageCapacity",
        "requiresRepublish",
        "seLinuxMount",
        "preventPodSchedulingIfMissing",
    )
    for field in switches:
        spec.setdefault(field, False)
    spec["fsGroupPolicy"] = spec.get("fsGroupPolicy") or "ReadWriteOnceWithFSType"
    spec["volumeLifecycleModes"] = spec.get("volumeLifecycleModes") or ["Persistent"]


def default_csi_node(node: Object) -> None:
    spec = node.setdefault("spec", {})
    if not spec.get("drivers"):
        spec["drivers"] = None  # a field without `omitempty` upstream: shown as null


def default_attachment(attachment: Object) -> None:
    attachment.setdefault("status", {}).setdefault("attached", False)
