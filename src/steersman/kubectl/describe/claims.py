"""Persistent volumes and claims. A claim is shown with the pods that use it."""

from collections.abc import Sequence

from steersman.kubectl.describe import events, volumes
from steersman.kubectl.describe.writing import (
    NONE,
    Description,
    annotations,
    go_list,
    head,
    labels,
    listed,
    metadata,
    quantity,
    spec,
    status,
)
from steersman.meta.objects import Object

_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def storage_class(obj: Object) -> str:
    """Of a volume or a claim."""
    annotation = (metadata(obj).get("annotations") or {}).get(_CLASS_ANNOTATION)
    return str(annotation if annotation is not None else spec(obj).get("storageClassName") or "")


def access_modes(modes: Sequence[str] | None) -> str:
    """`RWO,ROX`: each once, in upstream's order."""
    return ",".join(short for mode, short in _MODES.items() if mode in (modes or ()))


def _phase(d: Description, obj: Object) -> None:
    ends = metadata(obj).get("deletionTimestamp")
    d.row(0, "Status:", f"Terminating (lasts {d.since(ends)})" if ends else status(obj).get("phase", ""))


def persistent_volume(d: Description, obj: Object) -> None:
    wanted = spec(obj)
    head(d, obj, namespace=False)
    d.row(0, "Finalizers:", go_list(metadata(obj).get("finalizers")))
    d.row(0, "StorageClass:", storage_class(obj))
    _phase(d, obj)
    claim = wanted.get("claimRef")
    d.row(0, "Claim:", "" if claim is None else f"{claim.get('namespace', '')}/{claim.get('name', '')}")
    d.row(0, "Reclaim Policy:", wanted.get("persistentVolumeReclaimPolicy", ""))
    d.row(0, "Access Modes:", access_modes(wanted.get("accessModes")))
    if wanted.get("volumeMode") is not None:
        d.row(0, "VolumeMode:", wanted["volumeMode"])
    d.row(0, "Capacity:", quantity((wanted.get("capacity") or {}).get("storage")))
    _affinity(d, (wanted.get("nodeAffinity") or {}).get("required"))
    d.row(0, "Message:", status(obj).get("message", ""))
    d.write(0, "Source:\n")
    volumes.persistent(d, wanted)
    events.write(d)


def _affinity(d: Description, required: Object | None) -> None:
    if required is None:
        d.row(0, "Node Affinity:", NONE)
        return
    d.row(0, "Node Affinity:", "")
    terms = required.get("nodeSelectorTerms") or ()
    d.row(1, "Required Terms:", "" if terms else NONE)
    for at, term in enumerate(terms):
        listed(d, f"Term {at}", map(_requirement, term.get("matchExpressions") or ()), level=2)


def _requirement(one: Object) -> str:
    text = f"{one.get('key', '')} {one.get('operator', '').lower()}"
    return f"{text} [{', '.join(one['values'])}]" if one.get("values") else text


def persistent_volume_claim(d: Description, obj: Object) -> None:
    specification(d, obj, whole=True)
    listed(d, "Used By", sorted(metadata(pod).get("name", "") for pod in d.seen.pods))
    found = status(obj).get("conditions") or ()
    if found:
        d.write(0, "Conditions:\n")
        d.row(1, "Type", "Status", "LastProbeTime", "LastTransitionTime", "Reason", "Message")
        d.row(1, "----", "------", "-----------------", "------------------", "------", "-------")
        for one in found:
            cells = (
                one.get("type", ""),
                one.get("status", ""),
                d.time(one.get("lastProbeTime")),
                d.time(one.get("lastTransitionTime")),
                one.get("reason", ""),
            )
            d.row(1, *(f"{cell} " for cell in cells), one.get("message", ""))
    events.write(d)


def specification(d: Description, obj: Object, *, whole: bool) -> None:
    """A claim, or (not `whole`) the template of one in a pod."""
    wanted = spec(obj)
    if whole:
        d.row(0, "Name:", metadata(obj).get("name", ""))
        d.row(0, "Namespace:", metadata(obj).get("namespace", ""))
    d.row(0, "StorageClass:", storage_class(obj))
    if whole:
        _phase(d, obj)
    d.row(0, "Volume:", wanted.get("volumeName", ""))
    labels(d, "Labels", metadata(obj).get("labels"))
    annotations(d, "Annotations", metadata(obj).get("annotations"))
    if whole:
        d.row(0, "Finalizers:", go_list(metadata(obj).get("finalizers")))
    bound = bool(wanted.get("volumeName"))
    d.row(0, "Capacity:", quantity((status(obj).get("capacity") or {}).get("storage")) if bound else "")
    d.row(0, "Access Modes:", access_modes(status(obj).get("accessModes")) if bound else "")
    if wanted.get("volumeMode") is not None:
        d.row(0, "VolumeMode:", wanted["volumeMode"])
    source = wanted.get("dataSource")
    if source is not None:
        d.write(0, "DataSource:\n")
        if source.get("apiGroup") is not None:
            d.row(1, "APIGroup:", source["apiGroup"])
        d.row(1, "Kind:", source.get("kind", ""))
        d.row(1, "Name:", source.get("name", ""))


def users(claim: Object, pods: Sequence[Object]) -> list[Object]:
    """The pods that mount a claim, and those that own it."""
    wanted = metadata(claim).get("name")
    found = [
        pod
        for pod in pods
        for volume in spec(pod).get("volumes") or ()
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == wanted
    ]
    by_uid = {metadata(pod).get("uid"): pod for pod in pods}
    for owner in metadata(claim).get("ownerReferences") or ():
        pod = by_uid.get(owner.get("uid")) if owner.get("kind") == "Pod" else None
        if pod is not None and pod not in found:
            found.append(pod)
    return found
