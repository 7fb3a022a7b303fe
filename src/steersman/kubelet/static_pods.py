"""Pods that a file on the node asks for, and their mirrors in the API: what marks them, what a file must say.

Pure. Source: the Kubernetes documentation "Create static Pods" and upstream's kubelet/config.
"""

import copy
import hashlib

import yaml

from steersman.api import kinds, pod_references
from steersman.meta import objects
from steersman.meta.objects import Object

SOURCE, HASH, SEEN = "kubernetes.io/config.source", "kubernetes.io/config.hash", "kubernetes.io/config.seen"
MIRROR = "kubernetes.io/config.mirror"


class Invalid(ValueError):
    """The file is not a pod that could run."""


def is_static(pod: Object) -> bool:
    return SOURCE in objects.annotations(pod) and MIRROR not in objects.annotations(pod)


def is_mirror(pod: Object) -> bool:
    return MIRROR in objects.annotations(pod)


def hash_of(mirror: Object) -> str:
    return str(objects.annotations(mirror).get(MIRROR, ""))


def read(text: str, path: str, node_name: str, seen: str) -> Object:
    """The pod of a file, with all that upstream's kubelet adds; its uid follows from node, path and text. Raises Invalid."""
    pod = _parse(text)
    meta = pod["metadata"] = {**(pod.get("metadata") or {})}
    if not meta.get("name"):
        raise Invalid("metadata.name is required")
    uid = hashlib.md5(f"{node_name}\n{path}\n{text}".encode(), usedforsecurity=False).hexdigest()
    meta["name"] = f"{meta['name']}-{node_name.lower()}"
    meta.setdefault("namespace", "default")
    meta["uid"] = uid
    meta["annotations"] = {**(meta.get("annotations") or {}), SOURCE: "file", HASH: uid, SEEN: seen}
    spec = pod["spec"] = {**(pod.get("spec") or {}), "nodeName": node_name}
    spec["tolerations"] = [*(spec.get("tolerations") or []), {"operator": "Exists", "effect": "NoExecute"}]
    pod["status"] = {"phase": "Pending"}
    assert kinds.POD.default is not None
    assert kinds.POD.validate is not None
    kinds.POD.default(pod)
    if errors := kinds.POD.validate(pod, None):
        raise Invalid("; ".join(str(one) for one in errors))
    if what := pod_references.first(pod):
        raise Invalid(f"static pods may not reference {what}")
    return pod


def mirror_of(pod: Object, node: Object) -> Object:
    """What shows the static pod in the API: it belongs to the Node, and goes with it."""
    meta = pod["metadata"]
    owner = {
        "apiVersion": "v1",
        "kind": "Node",
        "name": objects.name(node),
        "uid": objects.uid(node),
        "controller": True,
    }
    shown = {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "labels": meta.get("labels") or {},
        "annotations": {**meta["annotations"], MIRROR: meta["annotations"][HASH]},
        "ownerReferences": [owner],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": shown, "spec": copy.deepcopy(pod["spec"])}


def as_shown(pod: Object, mirror: Object | None) -> Object:
    """The pod of a file as an earlier kubelet told the API of it."""
    return {**pod, "status": mirror.get("status") or {}} if mirror is not None else pod


def come_back(pod: Object, was: Object) -> Object:
    """The pod of a file that went and is here again, the same to the letter: its containers are restarted (and counted)."""
    kept = ("initContainerStatuses", "containerStatuses") if pod["spec"].get("restartPolicy") == "Always" else ()
    return {**pod, "status": {**pod["status"], **{field: was[field] for field in kept if field in was}}}


def ending(pod: Object, now: str) -> Object:
    """The pod as if it had been deleted: its file is gone."""
    grace = pod["spec"].get("terminationGracePeriodSeconds")
    meta = {**pod["metadata"], "deletionTimestamp": now, "deletionGracePeriodSeconds": 30 if grace is None else grace}
    return {**pod, "metadata": meta}


def _parse(text: str) -> Object:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        raise Invalid(str(wrong)) from wrong
    if not isinstance(found, dict) or found.get("kind") != "Pod" or found.get("apiVersion") != "v1":
        raise Invalid("not a v1 Pod")
    return found
