"""What a pod and a volume refer to, in the names of the API: which objects their node has to read.

Pure. Source: upstream's Graph.AddPod and VisitPVSecretNames.
"""

from collections.abc import Iterator

from steersman.api import devices, pod_references, volumes
from steersman.meta import objects
from steersman.meta.objects import Object

MIRROR = "kubernetes.io/config.mirror"

Reference = tuple[str, str]  # resource and name, in the pod's namespace

_SECRET_REFERENCES = ("cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos")
# Secrets of a CSI volume that are for the node; others are the controllers'.
_OF_NODES = ("nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef")


def of_pod(pod: Object) -> Iterator[Reference]:
    """Nothing of a mirror pod: nodes make those themselves, and must not give themselves rights by them."""
    if MIRROR in objects.annotations(pod):
        return
    account = pod["spec"].get("serviceAccountName")
    if account:
        yield "serviceaccounts", account
    for name in pod_references.secrets(pod):
        yield "secrets", name
    for name in pod_references.config_maps(pod):
        yield "configmaps", name
    for name in volumes.claim_names(pod):
        yield "persistentvolumeclaims", name
    for _, name in devices.all_claim_names(pod):
        if name:
            yield "resourceclaims", name


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
