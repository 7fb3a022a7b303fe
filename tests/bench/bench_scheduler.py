"""How many pods a second the scheduler's decision places: scheduler_perf's cases, without an API server around it.

The thresholds are those of upstream's scheduler_perf (with its API server and etcd around it), as in DESIGN §9.
"""

import time
from typing import Any

from steersman.meta.objects import Object
from steersman.scheduler import decide, pending, shape, snapshot
from tests.bench.report import Figure

NODES, PODS = 5_000, 10_000
ZONES = 3


def _node(number: int) -> Object:
    name = f"node-{number}"
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{number % ZONES}"}
    allocatable = {"cpu": "4", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {"allocatable": allocatable}}


def _pod(number: int, **spec: Any) -> Object:
    owner = spec.pop("owner", "")
    meta: Object = {"name": f"pod-{number}", "namespace": "bench", "labels": {"app": "bench"}}
    if owner:
        meta["ownerReferences"] = [{"kind": "ReplicaSet", "uid": owner, "controller": True}]
    container = {"name": "main", "image": "pause", "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}}
    return {"metadata": meta, "spec": {"containers": [container], **spec}}


_SELECTOR = {"matchLabels": {"app": "bench"}}


def _affinity(kind: str, key: str) -> Object:
    term = {"labelSelector": _SELECTOR, "topologyKey": key}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def _spread(key: str, skew: int) -> Object:
    when = {"topologyKey": key, "maxSkew": skew, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": _SELECTOR}
    return {"topologySpreadConstraints": [when]}


HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"

# (name, spec of each pod, pods, upstream's threshold per second, goal as a multiple)
CASES: tuple[tuple[str, Object, int, float, float], ...] = (
    ("basic", {}, PODS, 680, 10),
    ("of a Deployment, spread by default", {"owner": "rs"}, PODS, 680, 10),
    ("required pod affinity (zone)", _affinity("podAffinity", ZONE), PODS, 35, 50),
    ("required pod anti-affinity (host)", _affinity("podAntiAffinity", HOST), NODES, 60, 50),
    ("hard topology spread (zone)", _spread(ZONE, 5), PODS, 460, 10),
)


def run() -> list[Figure]:
    return [_measure(*case) for case in CASES]


def _measure(name: str, spec: Object, pods: int, upstream: float, goal: float) -> Figure:
    picture = snapshot.Snapshot()
    for number in range(NODES):
        picture.set_node(_node(number))
    shapes = shape.Shapes()
    bodies = [_pod(number, **spec) for number in range(pods)]
    start = time.perf_counter()
    wanted = [pending.PendingPod(f"bench/pod-{number}", shapes.of(body)) for number, body in enumerate(bodies)]
    placed = 0
    for first in range(0, pods, 1_000):  # the controller's batches
        decision = decide.decide(wanted[first : first + 1_000], picture)
        placed += len(decision.placements)
    seconds = time.perf_counter() - start
    note = "" if placed == pods else f"only {placed} of {pods} placed"
    return Figure(
        f"schedule {name}: {pods:,} pods, {NODES:,} nodes", pods / seconds, "pods/s", upstream, goal, note=note
    )
