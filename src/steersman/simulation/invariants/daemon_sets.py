"""A DaemonSet never has two pods on one node by its own doing: looked at where its controller creates one."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.meta import objects, owners
from steersman.meta.objects import Object
from steersman.simulation.history import Change, History, is_of, node_of, pod_counts
from steersman.simulation.invariants.deployments import CONTROLLER


def check(history: History, change: Change) -> Iterator[str]:
    if not is_of(change, kinds.POD) or change.before is not None or change.after is None:
        return
    owner = owners.controller_of(change.after)
    if owner is None or owner["kind"] != "DaemonSet" or change.cause.who != CONTROLLER:
        return
    node = _meant_for(change.after)
    same = [
        objects.name(pod)
        for pod in history.world.owned_by(owner["uid"], kinds.POD)
        if pod_counts(pod) and _meant_for(pod) == node
    ]
    if len(same) > 1:
        yield f"{change.key}: {node} now has {len(same)} pods of daemonset {owner['name']}"


def _meant_for(pod: Object) -> str:
    """The node it is bound to, or will be."""
    if node_of(pod):
        return node_of(pod)
    wanted = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(wanted["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])
