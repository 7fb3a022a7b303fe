"""Nodes and pods with defaults: a test names only what matters to it."""

from typing import Any

from steersman.api.pod_groups import group_of
from steersman.meta.objects import Object
from steersman.scheduler import shape, snapshot
from steersman.scheduler.pending import PendingPod

_SHAPES = shape.Shapes()


def node(name: str = "node1", *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **more: Any) -> Object:
    """`labels`, `taints`, `unschedulable`, `allocatable` (further resources)."""
    spec: Object = {}
    if more.get("taints"):
        spec["taints"] = more["taints"]
    if more.get("unschedulable"):
        spec["unschedulable"] = True
    labels = {"kubernetes.io/hostname": name, **more.get("labels", {})}
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods, **more.get("allocatable", {})}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"allocatable": allocatable}}


def pod(name: str = "web-1", *, namespace: str = "default", cpu: str = "", memory: str = "", **more: Any) -> Object:
    """`labels`, `owner` (uid of a ReplicaSet), `requests` (further resources), `ports`, `on` (node),
    `started` (time), `terminating`; the rest goes into spec."""
    labels, owner = more.pop("labels", {}), more.pop("owner", "")
    meta: Object = {"name": name, "namespace": namespace, "uid": more.pop("uid", f"uid-{name}"), "labels": labels}
    if owner:
        meta["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}
        ]
    asked = {**({"cpu": cpu} if cpu else {}), **({"memory": memory} if memory else {}), **more.pop("requests", {})}
    container: Object = {"name": "main", "image": "localhost/hello:1", "resources": {"requests": asked}}
    if "ports" in more:
        container["ports"] = more.pop("ports")
    spec: Object = {"containers": [container], **more}
    status: Object = {"phase": "Pending"}
    if "started" in spec:
        status["startTime"] = spec.pop("started")
    if spec.pop("terminating", False):
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    if "on" in spec:
        spec["nodeName"] = spec.pop("on")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def pending(obj: Object) -> PendingPod:
    spec = obj["spec"]
    key = f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
    preempts = spec.get("preemptionPolicy") != "Never"
    return PendingPod(
        key, _SHAPES.of(obj), spec.get("priority", 0), preempts, group_of(obj), obj["metadata"].get("uid", "")
    )


def picture(nodes: list[Object], placed: list[Object] = []) -> snapshot.Snapshot:  # noqa: B006
    """A snapshot of these nodes, and of pods that are on them (`on=`)."""
    seen = snapshot.Snapshot()
    for obj in nodes:
        seen.set_node(obj)
    for obj in placed:
        key = f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
        seen.set_pod(
            key,
            _SHAPES.of(obj),
            obj["spec"]["nodeName"],
            terminating="deletionTimestamp" in obj["metadata"],
            priority=obj["spec"].get("priority", 0),
            started=obj["status"].get("startTime", ""),
            pod_group=group_of(obj),
        )
    return seen


def replicas(count: int, **more: Any) -> list[PendingPod]:
    """Pods of one shape."""
    first = pending(pod("web-0", **more))
    return [PendingPod(f"default/web-{i}", first.shape, first.priority) for i in range(count)]
