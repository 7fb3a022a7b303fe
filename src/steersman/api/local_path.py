"""The built-in storage class `local-path`: what its provisioner (controllers) and its keeper on each node (kubelet) agree on.

Names are those of rancher's local-path-provisioner, which k3s users know; what it keeps in a ConfigMap and helper pods, a
label, a finalizer and the kubelet do here. Pure.
"""

from pathlib import PurePosixPath

from steersman.api import volumes
from steersman.meta import objects
from steersman.meta.objects import Object

CLASS = "local-path"
PROVISIONER = "rancher.io/local-path"
VOLUME_TYPE = "volumeType"  # annotation of a claim: `local` or `hostPath`
DEFAULT_VOLUME_TYPE = "defaultVolumeType"  # annotation of a class
SELECTED_NODE = "local.path.provisioner/selected-node"

ROOT = "storage.steersman.dev/local-path"  # annotation of a Node: the folder of its volumes
NODE = "storage.steersman.dev/node"  # label of a volume: whose folder it is
FINALIZER = "storage.steersman.dev/directory"  # of a volume: its folder is still there
DEFAULT_ROOT = "/opt/local-path-provisioner"


def storage_class() -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {volumes.DEFAULT_CLASS: "true", DEFAULT_VOLUME_TYPE: "local"}},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def is_ours(volume: Object) -> bool:
    return objects.annotations(volume).get(volumes.PROVISIONED_BY) == PROVISIONER


def path_of(volume: Object) -> PurePosixPath:
    spec = volume["spec"]
    return PurePosixPath((spec.get("local") or spec.get("hostPath") or {}).get("path") or "/")


def node_of(volume: Object) -> str:
    return objects.labels(volume).get(NODE, "")
