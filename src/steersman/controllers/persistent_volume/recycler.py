"""The pod that empties a volume for its next claim (the deprecated reclaim policy Recycle), as upstream makes it. Pure."""

from steersman.controllers import pods
from steersman.meta import objects
from steersman.meta.objects import Object

NAMESPACE = "default"
IMAGE = "registry.k8s.io/build-image/debian-base:bookworm-v1.0.4"
DEADLINE_SECONDS = 60
_SCRUB = 'test -e /scrub && find /scrub -mindepth 1 -delete && test -z "$(ls -A /scrub)" || exit 1'


def can_recycle(volume: Object) -> bool:
    return any(field in volume["spec"] for field in ("hostPath", "nfs"))


def name(volume: Object) -> str:
    return f"recycler-for-{objects.name(volume)}"


def pod(volume: Object) -> Object:
    source = next(field for field in ("hostPath", "nfs") if field in volume["spec"])
    container = {
        "name": "pv-recycler",
        "image": IMAGE,
        "command": ["/bin/sh"],
        "args": ["-c", _SCRUB],
        "volumeMounts": [{"name": "vol", "mountPath": "/scrub"}],
    }
    spec: Object = {
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "restartPolicy": "Never",
        "volumes": [{"name": "vol", source: volume["spec"][source]}],
        "containers": [container],
    }
    affinity = (volume["spec"].get("nodeAffinity") or {}).get("required")
    if affinity:
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": affinity}}
    meta = {"name": name(volume), "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def outcome(found: Object) -> tuple[bool, str]:
    """Whether it has done its work, or why it could not."""
    phase = pods.phase(found)
    if phase == "Failed":
        return False, str((found.get("status") or {}).get("message") or "pod failed, pod.Status.Message unknown.")
    return phase == "Succeeded", ""
