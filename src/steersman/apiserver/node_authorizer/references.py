"""What a pod and a volume refer to, in the names of the API: which objects their node has to read.

Pure. Source: upstream's VisitPodSecretNames, VisitPodConfigmapNames and VisitPVSecretNames.
"""

from collections.abc import Iterator

from steersman.api import devices, volumes
from steersman.meta import objects
from steersman.meta.objects import Object

MIRROR = "kubernetes.io/config.mirror"

Reference = tuple[str, str]  # resource and name, in the pod's namespace

# Where a volume's source names a Secret: as a reference, or by name alone.
_SECRET_REFERENCES = ("cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos")
_SECRET_NAMES = (("secret", "secretName"), ("azureFile", "secretName"))
# Secrets of a CSI volume that are for the node; others are the controllers'.
_OF_NODES = ("nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef")


def of_pod(pod: Object) -> Iterator[Reference]:
    """Nothing of a mirror pod: nodes make those themselves, and must not give themselves rights by them."""
    if MIRROR in objects.annotations(pod):
        return
    spec = pod["spec"]
    if spec.get("serviceAccountName"):
        yield "serviceaccounts", spec["serviceAccountName"]
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", secret.get("name", "")
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            yield from _of_container(container)
    for volume in spec.get("volumes") or ():
        yield from _of_volume(volume)
        claim = volumes.claim_name(pod, volume)
        if claim:
            yield "persistentvolumeclaims", claim
    for _, claim in devices.all_claim_names(pod):
        if claim:
            yield "resourceclaims", claim


def _of_container(container: Object) -> Iterator[Reference]:
    for source in container.get("envFrom") or ():
        if source.get("secretRef"):
            yield "secrets", source["secretRef"].get("name", "")
        if source.get("configMapRef"):
            yield "configmaps", source["configMapRef"].get("name", "")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        if source.get("secretKeyRef"):
            yield "secrets", source["secretKeyRef"].get("name", "")
        if source.get("configMapKeyRef"):
            yield "configmaps", source["configMapKeyRef"].get("name", "")


def _of_volume(volume: Object) -> Iterator[Reference]:
    for source in (volume.get("projected") or {}).get("sources") or ():
        if source.get("secret"):
            yield "secrets", source["secret"].get("name", "")
        if source.get("configMap"):
            yield "configmaps", source["configMap"].get("name", "")
    if volume.get("configMap"):
        yield "configmaps", volume["configMap"].get("name", "")
    for kind, field in _SECRET_NAMES:
        if volume.get(kind):
            yield "secrets", volume[kind].get(field, "")
    for kind in _SECRET_REFERENCES:
        if (volume.get(kind) or {}).get("secretRef"):
            yield "secrets", volume[kind]["secretRef"].get("name", "")
    if (volume.get("csi") or {}).get("nodePublishSecretRef"):
        yield "secrets", volume["csi"]["nodePublishSecretRef"].get("name", "")


def secrets_of_volume(volume: Object) -> Iterator[tuple[str, str]]:
    """(namespace, name) of what the node of a PersistentVolume's pod has to read; the claim's namespace where none is said."""
    spec = volume["spec"]
    of_claim = volumes.claim_of(volume).get("namespace", "")
    azure, csi = spec.get("azureFile"), spec.get("csi") or {}
    if azure:
        yield azure.get("secretNamespace") or of_claim, azure.get("secretName", "")
    references = [(spec.get(kind) or {}).get("secretRef") for kind in _SECRET_REFERENCES]
    references += [csi.get(field) for field in _OF_NODES]
    for reference in references:
        if reference:
            yield reference.get("namespace") or of_claim, reference.get("name", "")
