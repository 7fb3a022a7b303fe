"""Notice nodes that fell silent, and say with taints what is wrong with a node.

Reads: Node, its Lease (when it was last renewed, by our own clock), the pods bound to it.  Writes: Node conditions
(Unknown after silence), Node taints (those that evict node by node: `zones`), Ready=False of the pods of a node that is not
ready (so that Services drop them).
Leaves to others: reporting (kubelet), eviction (taint_eviction), pods of nodes that were deleted (pod_gc).
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds
from steersman.controllers import decision, pods
from steersman.controllers.decision import Action, Decision, Emit, Patch
from steersman.meta import conditions, objects, times
from steersman.meta.objects import Object

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"

ZONE_LOOK_SECONDS = 5.0  # upstream's monitor period: a zone in disruption may have recovered

# Conditions the kubelet reports; all become Unknown when it falls silent.
REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")

_TAINT_OF_CONDITION = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_OURS = frozenset((*_TAINT_OF_CONDITION.values(), _UNSCHEDULABLE))


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`silent_seconds` since the last sign of life; `grace_seconds` how long that may be. `eviction_seconds` until the pods of one
    more node of its zone may be evicted, None: none may. `all_lost`: no node of the cluster is ready. `is_new`: it was not
    there at the last look."""

    node: Object
    silent_seconds: float
    grace_seconds: float
    now: datetime.datetime
    pods: Sequence[Object] = ()
    eviction_seconds: float | None = 0.0
    all_lost: bool = False
    is_new: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class SeenGone:
    """A node, as it was last seen."""

    node: Object


def decide(seen: Seen | SeenGone) -> Decision:
    node = seen.node
    if isinstance(seen, SeenGone):
        return Decision((_told(node, "RemovingNode", "Removing Node {} from Controller"),), "it is gone")
    if objects.is_terminating(node):
        return Decision(why="being deleted")
    is_silent = seen.silent_seconds >= seen.grace_seconds
    told = _unknown(seen) if is_silent else list((node.get("status") or {}).get("conditions") or ())
    status = {**(node.get("status") or {}), "conditions": told}
    after = {**node, "status": status}
    actions = (
        *((_told(node, "RegisteredNode", "Registered Node {} in Controller"),) if seen.is_new else ()),
        *decision.with_status(kinds.NODE, node, status),
        *_taint(seen, after),
        *_events(node, after),
        *_pods_not_ready(seen, after),
    )
    waits = _eviction_in(seen, after)
    if is_silent:
        return Decision(actions, f"silent for {seen.silent_seconds:.0f} s", waits)
    again = seen.grace_seconds - seen.silent_seconds + 0.05
    return Decision(actions, "gives signs of life", decision.earliest(again, waits))


def _told(node: Object, reason: str, what: str) -> Emit:
    name = objects.name(node)
    return Emit(node, "Normal", reason, f"Node {name} event: {what.format(name)}")


def evicts(made: Decision) -> bool:
    """Whether the decision leads to the eviction of the node's pods."""
    return any(
        isinstance(action, Patch) and any(map(_evicts, (action.patch.get("spec") or {}).get("taints") or ()))
        for action in made.actions
    )


def _evicts(taint: Object) -> bool:
    return taint["key"] in (NOT_READY, UNREACHABLE) and taint["effect"] == "NoExecute"


def _eviction_in(seen: Seen, after: Object) -> float | None:
    """When to look whether it is the node's turn; None where there is nothing to wait for."""
    if seen.eviction_seconds == 0 or not _lacks_eviction(seen, after):
        return None
    return ZONE_LOOK_SECONDS if seen.eviction_seconds is None else seen.eviction_seconds


def _lacks_eviction(seen: Seen, after: Object) -> bool:
    there = [one["key"] for one in seen.node["spec"].get("taints") or () if _evicts(one)]
    return any(effect == "NoExecute" and key not in there for key, effect in _wanted_taints(after))


def _unknown(seen: Seen) -> list[Object]:
    found: list[Object] = list((seen.node.get("status") or {}).get("conditions") or ())
    for name in REPORTED:
        old = conditions.find(found, name)
        if old is None:
            new = conditions.make(name, "Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.")
            new["lastHeartbeatTime"] = str(seen.node["metadata"].get("creationTimestamp") or "")
        elif old.get("status") == "Unknown":
            continue
        else:
            new = conditions.make(name, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
            if "lastHeartbeatTime" in old:
                new["lastHeartbeatTime"] = old["lastHeartbeatTime"]
        found = conditions.set(found, new, seen.now)
    return found


# Taints


def _taint(seen: Seen, after: Object) -> tuple[Action, ...]:
    old: list[Object] = seen.node["spec"].get("taints") or []
    wanted = _allowed(seen, _wanted_taints(after))
    kept = [one for one in old if one["key"] not in _OURS or (one["key"], one["effect"]) in wanted]
    there = {(one["key"], one["effect"]) for one in kept}
    stamp = times.format_seconds(seen.now)
    added = [{"key": key, "effect": effect, "timeAdded": stamp} for key, effect in wanted if (key, effect) not in there]
    if not added and len(kept) == len(old):
        return ()
    return (decision.patch(kinds.NODE, seen.node, {"spec": {"taints": [*kept, *added] or None}}),)


def _allowed(seen: Seen, wanted: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """When all nodes are lost nobody is evicted. Else what evicts is added when it is the node's turn, and then stays."""
    evicted = any(map(_evicts, seen.node["spec"].get("taints") or ()))
    if not seen.all_lost and (evicted or seen.eviction_seconds == 0):
        return wanted
    return [one for one in wanted if one[1] != "NoExecute"]


def _wanted_taints(node: Object) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for condition in (node.get("status") or {}).get("conditions") or ():
        key = _TAINT_OF_CONDITION.get((condition.get("type", ""), condition.get("status", "")))
        if key:
            found.append((key, "NoSchedule"))
            if condition["type"] == "Ready":
                found.append((key, "NoExecute"))
    if node["spec"].get("unschedulable"):
        found.append((_UNSCHEDULABLE, "NoSchedule"))
    return found


# What a node that is not ready means for others


def _events(before: Object, after: Object) -> tuple[Emit, ...]:
    """Told once: with the taint that says so."""
    if conditions.status(after, "Ready") not in ("False", "Unknown"):
        return ()
    if any(one["key"] in (NOT_READY, UNREACHABLE) for one in before["spec"].get("taints") or ()):
        return ()
    text = f"Node {objects.name(before)} status is now: NodeNotReady"
    return (Emit(before, "Normal", "NodeNotReady", text),)


def _pods_not_ready(seen: Seen, after: Object) -> tuple[Action, ...]:
    """Pods that became ready before their node stopped being so. A kubelet that reports one ready later knows better."""
    ready = conditions.get(after, "Ready")
    if ready is None or ready.get("status") == "True":
        return ()
    since = str(ready.get("lastTransitionTime") or "")
    doubtful = [pod for pod in seen.pods if pods.is_ready(pod) and pods.ready_at(pod) <= since]
    return tuple(_not_ready(pod, seen.now) for pod in doubtful)


def _not_ready(pod: Object, now: datetime.datetime) -> Action:
    old = pods.ready_condition(pod)
    assert old is not None
    new = {key: value for key, value in old.items() if key != "lastTransitionTime"}
    found = conditions.set(pod["status"]["conditions"], {**new, "status": "False"}, now)
    event = Emit(pod, "Warning", "NodeNotReady", "Node is not ready")
    return decision.patch(kinds.POD, pod, {"status": {"conditions": found}}, subresource="status", done=event)
