"""Volumes, claims and classes for controller tests: one relevant fact per argument."""

from typing import Any

from steersman.meta.objects import Object


def claim(name: str = "data", size: str = "1Gi", *, uid: str = "c1", phase: str = "Pending", **more: Any) -> Object:
    """`annotations` and the like go to metadata by `meta`, all else to the spec."""
    meta = {"name": name, "namespace": "default", "uid": uid, "resourceVersion": "5", **more.pop("meta", {})}
    status = {"phase": phase, **more.pop("status", {})}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, "volumeMode": "Filesystem"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta,
        "spec": {**spec, "storageClassName": "manual", **more},
        "status": status,
    }


def volume(name: str = "pv", size: str = "1Gi", *, phase: str = "Available", **more: Any) -> Object:
    meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": "6", **more.pop("meta", {})}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": size},
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "manual",
        "volumeMode": "Filesystem",
        "hostPath": {"path": "/data", "type": ""},
    }
    status = {"phase": phase}
    kind = {"apiVersion": "v1", "kind": "PersistentVolume"}
    return {**kind, "metadata": meta, "spec": {**spec, **more}, "status": status}


def reference(of: Object, *, uid: bool = True) -> Object:
    found = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": of["metadata"]["name"]}
    return {**found, "uid": of["metadata"]["uid"]} if uid else found


def storage_class(name: str = "manual", provisioner: str = "example.com/disk", **more: Any) -> Object:
    meta = {"name": name, "uid": name, "resourceVersion": "1", "annotations": more.pop("annotations", {})}
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass"}
    return {**kind, "metadata": meta, "provisioner": provisioner, "volumeBindingMode": "Immediate", **more}


WAITS = {"volumeBindingMode": "WaitForFirstConsumer"}
