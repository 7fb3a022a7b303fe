"""The built-in storage class `local-path`: what its provisioner (controllers) and its keeper on each node (kubelet) agree on.

Names are those of rancher's local-path-provisioner, which k3s users know; what it keeps in a ConfigMap and helper pods, a
label, a finalizer and the kubelet do here. Pure.

How a folder goes: nodes may not list volumes, and read only those of their pods, which a volume that is to go has none of. So its
provisioner writes a wish into the Node, which the kubelet follows anyway, and the kubelet writes its answer in the wish's place.
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
WISH = "delete.storage.steersman.dev/"  # annotations of a Node, one for each volume (its name follows) whose folder is to go
WISHED, DONE, FAILED = "wished", "done", "failed: "  # their values; after the last, the reason: it is tried again
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


def refusal(volume: Object, node: Object) -> str:
    """Why the volume's folder must not be removed; empty when it may."""
    path = path_of(volume)
    root = objects.annotations(node).get(ROOT, DEFAULT_ROOT)
    if path.parent != PurePosixPath(root) or not is_folder_of(objects.name(volume), path.name):
        return f"{path} is not a folder that was made for this volume in {root}"
    return ""


def is_folder_of(name: str, folder: str) -> bool:
    """Whether the volume of this name has a folder that is called so: namespace and name of its claim follow."""
    return folder.startswith(f"{name}_")


def wishes(node: Object | None) -> dict[str, str]:
    """By name of the volume; most nodes have none."""
    annotations = objects.annotations(node) if node is not None else {}
    return {key.removeprefix(WISH): value for key, value in annotations.items() if key.startswith(WISH)}


def wish(name: str, value: str | None) -> Object:
    """The patch of a Node that makes a wish, answers it or takes it back."""
    return {"metadata": {"annotations": {f"{WISH}{name}": value}}}


def node_of(volume: Object) -> str:
    return objects.labels(volume).get(NODE, "")
