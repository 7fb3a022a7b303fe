"""What is asked of a driver for a claim, and the volume that comes of it. Pure. Source: external-provisioner."""

import base64

from steersman.api import volumes
from steersman.csi import driver as csi
from steersman.meta import objects, quantities
from steersman.meta.objects import Object
from steersman.serving.protobuf import Message

PREFIX = "csi.storage.k8s.io/"  # of parameters of a class that are for Kubernetes, not for the driver
FS_TYPE = f"{PREFIX}fstype"
PROVISIONER_SECRET, NODE_STAGE_SECRET, NODE_PUBLISH_SECRET, CONTROLLER_PUBLISH_SECRET, CONTROLLER_EXPAND_SECRET = (
    f"{PREFIX}{role}-secret"
    for role in ("provisioner", "node-stage", "node-publish", "controller-publish", "controller-expand")
)
DELETION_SECRET_NAME = "volume.kubernetes.io/provisioner-deletion-secret-name"
DELETION_SECRET_NAMESPACE = "volume.kubernetes.io/provisioner-deletion-secret-namespace"
# Of a volume that is to be deleted with its claim: the object stays until the driver has deleted what it stands for.
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
_REFERENCES = {
    "nodeStageSecretRef": NODE_STAGE_SECRET,
    "nodePublishSecretRef": NODE_PUBLISH_SECRET,
    "controllerPublishSecretRef": CONTROLLER_PUBLISH_SECRET,
    "controllerExpandSecretRef": CONTROLLER_EXPAND_SECRET,
}


def volume_name(claim: Object) -> str:
    return f"pvc-{objects.uid(claim)}"


def request(claim: Object, storage_class: Object, segments: dict[str, str]) -> Message:
    """`segments`: the topology of the node that was chosen."""
    parameters = storage_class.get("parameters") or {}
    capability = csi.capability(
        volumes.access_modes(claim),
        volumes.mode_of(claim),
        parameters.get(FS_TYPE, ""),
        list(storage_class.get("mountOptions") or ()),
    )
    found: Message = {
        "name": volume_name(claim),
        "capacity_range": {"required_bytes": volumes.requested_bytes(claim)},
        "volume_capabilities": [capability],
        "parameters": {key: value for key, value in parameters.items() if not key.startswith(PREFIX)},
    }
    if segments:
        topology = [{"segments": segments}]
        found["accessibility_requirements"] = {"requisite": topology, "preferred": topology}
    return found


def volume(
    claim: Object, storage_class: Object, driver: str, made: Message, attributes_class: Object | None = None
) -> Object:
    parameters = storage_class.get("parameters") or {}
    source: Object = {"driver": driver, "volumeHandle": made.get("volume_id", "")}
    if parameters.get(FS_TYPE):
        source["fsType"] = parameters[FS_TYPE]
    if made.get("volume_context"):
        source["volumeAttributes"] = made["volume_context"]
    for field, which in _REFERENCES.items():
        if reference := secret_of(storage_class, which):
            source[field] = reference
    size = made.get("capacity_bytes") or volumes.requested_bytes(claim)
    spec: Object = {
        "accessModes": volumes.access_modes(claim),
        "capacity": {"storage": quantities.of_bytes(size)},
        "claimRef": volumes.reference(claim),
        "csi": source,
        "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
        "storageClassName": objects.name(storage_class),
        "volumeMode": volumes.mode_of(claim),
    }
    if attributes_class is not None:
        spec["volumeAttributesClassName"] = objects.name(attributes_class)
    if storage_class.get("mountOptions"):
        spec["mountOptions"] = storage_class["mountOptions"]
    terms = [_term(one.get("segments") or {}) for one in made.get("accessible_topology") or ()]
    if terms:
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": terms}}
    annotations = {volumes.PROVISIONED_BY: driver}
    if secret := secret_of(storage_class, PROVISIONER_SECRET):
        annotations |= {DELETION_SECRET_NAME: secret["name"], DELETION_SECRET_NAMESPACE: secret["namespace"]}
    meta: Object = {"name": volume_name(claim), "annotations": annotations}
    if spec["persistentVolumeReclaimPolicy"] == "Delete":
        meta["finalizers"] = [FINALIZER]
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}


def secret_of(storage_class: Object, which: str) -> Object | None:
    parameters = storage_class.get("parameters") or {}
    name, namespace = parameters.get(f"{which}-name"), parameters.get(f"{which}-namespace")
    return {"name": name, "namespace": namespace} if name and namespace else None


def annotated_secret(volume: Object) -> Object | None:
    """The one that its deletion needs."""
    found = objects.annotations(volume)
    name = found.get(DELETION_SECRET_NAME)
    return {"name": name, "namespace": found.get(DELETION_SECRET_NAMESPACE, "")} if name else None


def decoded(secret: Object) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}


def _term(segments: dict[str, str]) -> Object:
    expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in sorted(segments.items())]
    return {"matchExpressions": expressions}
