"""Which objects of the API a pod refers to, by the fields that do so. Pure.

Source: upstream's pkg/api/pod (VisitPodSecretNames, VisitPodConfigmapNames, HasAPIObjectReference). What is reached only through
another object (a claim's volume, that volume's secret) is not looked at.
"""

from collections.abc import Iterator

from steersman.meta.objects import Object

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_SECRET_OF_VOLUME = {"azureFile": "secretName", "secret": "secretName"}
_SECRET_REF_OF_VOLUME = {
    **dict.fromkeys(("cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos"), "secretRef"),
    "csi": "nodePublishSecretRef",
}
# Volumes that stand for an object of the API whatever is in them, and the words a refusal has for it.
_BY_VOLUME = {
    "configMap": "configmaps (via configmap volumes)",
    "secret": "secrets (via secret volumes)",
    "csi": "csidrivers (via CSI volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
    "azureFile": "secrets (via azureFile volumes)",
}
_BY_PROJECTION = {
    "configMap": "configmaps (via projected volumes)",
    "secret": "secrets (via projected volumes)",
    "serviceAccountToken": "serviceaccounts (via projected volumes)",
    "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}


def secrets(pod: Object) -> Iterator[str]:
    """Their names, each as often as it is named."""
    spec = pod.get("spec") or {}
    for reference in spec.get("imagePullSecrets") or ():
        yield from _named(reference)
    yield from _of_containers(spec, "secretRef", "secretKeyRef")
    for volume in spec.get("volumes") or ():
        for source in volume.keys() & _SECRET_OF_VOLUME.keys():
            yield from _named(volume[source], _SECRET_OF_VOLUME[source])
        for source in volume.keys() & _SECRET_REF_OF_VOLUME.keys():
            yield from _named((volume[source] or {}).get(_SECRET_REF_OF_VOLUME[source]))
        for part in _projections(volume):
            yield from _named(part.get("secret"))


def config_maps(pod: Object) -> Iterator[str]:
    """Their names, each as often as it is named."""
    spec = pod.get("spec") or {}
    yield from _of_containers(spec, "configMapRef", "configMapKeyRef")
    for volume in spec.get("volumes") or ():
        yield from _named(volume.get("configMap"))
        for part in _projections(volume):
            yield from _named(part.get("configMap"))


def first(pod: Object) -> str:
    """What kind of object the pod refers to, in words of upstream's refusals; "" when it refers to none."""
    spec = pod.get("spec") or {}
    if spec.get("serviceAccountName"):
        return "serviceaccounts"
    if any(secrets(pod)):
        return "secrets"
    if any(config_maps(pod)):
        return "configmaps"
    if spec.get("resourceClaims"):
        return "resourceclaims"
    return next((found for volume in spec.get("volumes") or () for found in _of_volume(volume)), "")


def _of_volume(volume: Object) -> Iterator[str]:
    yield from (word for source, word in _BY_VOLUME.items() if volume.get(source) is not None)
    for part in _projections(volume):
        yield from (word for source, word in _BY_PROJECTION.items() if part.get(source) is not None)


def _of_containers(spec: Object, from_field: str, key_field: str) -> Iterator[str]:
    for field in _CONTAINERS:
        for container in spec.get(field) or ():
            for source in container.get("envFrom") or ():
                yield from _named(source.get(from_field))
            for variable in container.get("env") or ():
                source = variable.get("valueFrom")
                if source:  # most have a value of their own
                    yield from _named(source.get(key_field))


def _projections(volume: Object) -> "list[Object]":
    found: list[Object] = (volume.get("projected") or {}).get("sources") or []
    return found


def _named(reference: Object | None, field: str = "name") -> Iterator[str]:
    """Nothing where there is no reference, or one without a name."""
    name = (reference or {}).get(field)
    if name:
        yield str(name)
