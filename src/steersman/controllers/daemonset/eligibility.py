"""Which nodes a DaemonSet's pods belong on: by node name, node selector, required affinity and taints. Pure.

Readiness and free resources do not matter: the pods are made, and the scheduler binds each to its node when it can.
"""

import dataclasses
from collections.abc import Mapping

from steersman.meta import node_selectors, objects
from steersman.meta.objects import Object

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_NAME_FIELD = "metadata.name"


def _toleration(name: str, effect: str) -> Object:
    return {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}


# Every DaemonSet's pods live with these (AddOrUpdateDaemonPodTolerations): a node in trouble needs its daemons most.
TOLERATIONS = (
    _toleration("not-ready", "NoExecute"),
    _toleration("unreachable", "NoExecute"),
    _toleration("disk-pressure", "NoSchedule"),
    _toleration("memory-pressure", "NoSchedule"),
    _toleration("pid-pressure", "NoSchedule"),
    _toleration("unschedulable", "NoSchedule"),
)
HOST_NETWORK_TOLERATION = _toleration("network-unavailable", "NoSchedule")


@dataclasses.dataclass(frozen=True, slots=True)
class Eligible:
    """`run`: it should have a pod; `stay`: a pod that is there may stay."""

    run: bool
    stay: bool


_YES, _NO = Eligible(True, True), Eligible(False, False)


def tolerations(spec: Object) -> list[Object]:
    """Those of the template, and every DaemonSet's."""
    added = [*TOLERATIONS, *((HOST_NETWORK_TOLERATION,) if spec.get("hostNetwork") else ())]
    names = {(one["key"], one["effect"]) for one in added}
    kept = [
        one
        for one in spec.get("tolerations") or ()
        if (one.get("key"), one.get("effect")) not in names or one.get("operator") != "Exists"
    ]
    return [*kept, *(one for one in added if one not in kept)]


def of(spec: Object, node: Object) -> Eligible:
    """`spec` is that of the pods, with all tolerations."""
    if spec.get("nodeName") not in (None, "", objects.name(node)) or not _fits(spec, node):
        return _NO
    taints = [one for one in (node.get("spec") or {}).get("taints") or () if one.get("effect") != "PreferNoSchedule"]
    if not taints:
        return _YES
    given = spec.get("tolerations") or ()
    bad = [taint for taint in taints if not any(_tolerates(one, taint) for one in given)]
    if not bad:
        return _YES
    return Eligible(False, all(taint.get("effect") != "NoExecute" for taint in bad))


def bound_to(spec: Object, name: str) -> Object:
    """The pod's spec, directed to one node by affinity, so that the scheduler binds it there and nowhere else."""
    field = {"key": _NAME_FIELD, "operator": "In", "values": [name]}
    affinity = dict(spec.get("affinity") or {})
    node_affinity = dict(affinity.get("nodeAffinity") or {})
    terms = (node_affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    node_affinity[_REQUIRED] = {"nodeSelectorTerms": [{**term, "matchFields": [field]} for term in terms]}
    return {**spec, "affinity": {**affinity, "nodeAffinity": node_affinity}}


def target(pod: Object) -> str:
    """The node a pod runs on or is meant for."""
    spec = pod.get("spec") or {}
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    for term in (_required(spec) or {}).get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if (
                field.get("key") == _NAME_FIELD
                and field.get("operator") == "In"
                and len(field.get("values") or ()) == 1
            ):
                return str(field["values"][0])
    return ""


def _fits(spec: Object, node: Object) -> bool:
    labels = objects.labels(node)
    wanted: Mapping[str, str] = spec.get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return node_selectors.matches(_required(spec), objects.name(node), labels)


def _required(spec: Object) -> Object | None:
    found: Object | None = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    return found


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint.get("key")):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")
