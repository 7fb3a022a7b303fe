"""What everyone asks of PersistentVolumes and claims: their class, size, modes, and who belongs to whom. Pure.

The names of the annotations are upstream's, as provisioners, schedulers and people read and write them.
"""

from collections.abc import Sequence

from steersman.meta import objects, quantities
from steersman.meta.objects import Object

BETA_CLASS = "volume.beta.kubernetes.io/storage-class"  # where a class stood before it had a field; still read
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
BETA_DEFAULT_CLASS = "storageclass.beta.kubernetes.io/is-default-class"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"

CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
ATTRIBUTES_PROTECTION = "kubernetes.io/vac-protection"

NO_PROVISIONER = "kubernetes.io/no-provisioner"

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_USES = ("volumeMounts", "volumeDevices")

_SHORT_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_NOT_SOURCES = frozenset(
    (
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
        "storageClassName", "volumeAttributesClassName", "volumeMode",
    )
)  # fmt: skip


def class_of(obj: Object) -> str:
    """Of a PersistentVolume or a claim; empty for none."""
    beta = (obj["metadata"].get("annotations") or {}).get(BETA_CLASS)
    return str(beta if beta is not None else (obj.get("spec") or {}).get("storageClassName") or "")


def has_class(claim: Object) -> bool:
    """It says which class it wants, if only that it wants none: the default class is not for it."""
    return BETA_CLASS in objects.annotations(claim) or (claim.get("spec") or {}).get("storageClassName") is not None


def is_default_class(storage_class: Object) -> bool:
    annotations = objects.annotations(storage_class)
    return "true" in (annotations.get(DEFAULT_CLASS), annotations.get(BETA_DEFAULT_CLASS))


def default_class(classes: Sequence[Object]) -> Object | None:
    """Of several that call themselves the default, the newest; of those, the first by name."""
    found = sorted((one for one in classes if is_default_class(one)), key=objects.name)
    return max(found, key=lambda one: str(one["metadata"].get("creationTimestamp") or ""), default=None)


def binding_mode(storage_class: Object | None) -> str:
    return str((storage_class or {}).get("volumeBindingMode") or "Immediate")


def requested_bytes(claim: Object) -> int:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return quantities.whole(requests.get("storage", 0))


def capacity_bytes(volume: Object) -> int:
    return quantities.whole(((volume.get("spec") or {}).get("capacity") or {}).get("storage", 0))


def access_modes(obj: Object) -> list[str]:
    return list((obj.get("spec") or {}).get("accessModes") or ())


def mode_of(obj: Object) -> str:
    """Filesystem or Block."""
    return str((obj.get("spec") or {}).get("volumeMode") or "Filesystem")


def source_of(volume: Object) -> str:
    """The field that says what kind of volume it is: `csi`, `hostPath`, `local`, …; empty for none."""
    return next((field for field in volume.get("spec") or {} if field not in _NOT_SOURCES), "")


def short_modes(modes: Sequence[str]) -> str:
    """`RWO,ROX`: as columns show access modes, in upstream's order."""
    return ",".join(short for mode, short in _SHORT_MODES.items() if mode in modes)


def claim_of(volume: Object) -> Object:
    """`spec.claimRef`, empty where there is none."""
    return (volume.get("spec") or {}).get("claimRef") or {}


def reference(claim: Object) -> Object:
    """The `claimRef` of a volume that is for this claim and no later one of its name."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": objects.namespace(claim),
        "name": objects.name(claim),
        "uid": objects.uid(claim),
        "resourceVersion": objects.resource_version(claim),
    }


def is_for(volume: Object, claim: Object) -> bool:
    """The volume is bound to this claim, or set aside for it (no uid yet)."""
    reference = claim_of(volume)
    return (
        bool(reference)
        and (reference.get("namespace"), reference.get("name")) == (objects.namespace(claim), objects.name(claim))
        and reference.get("uid", "") in ("", objects.uid(claim))
    )


def is_bound(claim: Object) -> bool:
    """The binder is done with it: it has a volume, and both know it."""
    return bool((claim.get("spec") or {}).get("volumeName")) and BIND_COMPLETED in objects.annotations(claim)


def is_lost(claim: Object) -> bool:
    return (claim.get("status") or {}).get("phase") == "Lost"


def ephemeral_name(pod: Object, volume: Object) -> str:
    """The claim of a generic ephemeral volume."""
    return f"{objects.name(pod)}-{volume.get('name', '')}"


def claim_name(pod: Object, volume: Object) -> str:
    """The claim that a pod's volume stands for; empty for other kinds of volumes."""
    if volume.get("persistentVolumeClaim") is not None:
        return str(volume["persistentVolumeClaim"].get("claimName", ""))
    return ephemeral_name(pod, volume) if volume.get("ephemeral") is not None else ""


def claim_names(pod: Object) -> list[str]:
    named = (claim_name(pod, volume) for volume in (pod.get("spec") or {}).get("volumes") or ())
    return [name for name in named if name]


def used(pod: Object) -> list[Object]:
    """The pod's volumes that some container mounts or has as a device: upstream's kubelet sets up no others."""
    spec = pod["spec"]
    containers = [one for field in _CONTAINERS for one in spec.get(field) or ()]
    named = {one.get("name") for container in containers for field in _USES for one in container.get(field) or ()}
    return [volume for volume in spec.get("volumes") or () if volume.get("name") in named]
