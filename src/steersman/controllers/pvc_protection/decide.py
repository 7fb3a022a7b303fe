"""Keep a claim that is being deleted until no pod uses it.

Reads: PersistentVolumeClaim, Pods that use it.  Writes: its finalizer kubernetes.io/pvc-protection.
Leaves to others: the volume behind it (persistent_volume).
A pod counts once it has a node, as kubelets start no pod on a claim that is being deleted; and until it is gone, as its
volumes may be mounted still. Its own claim does not wait for a pod that has been shut down: in foreground deletion the pod waits
for the claim. Upstream breaks that circle for generic ephemeral volumes only, and is stuck with a StatefulSet's scaled away.
"""

import dataclasses
from collections.abc import Sequence

from steersman.api import kinds, volumes
from steersman.controllers import decision, pods
from steersman.controllers.decision import Decision
from steersman.meta import objects, owners
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`pods`: those of the claim's namespace that name it; asked for past the cache before the finalizer goes."""

    claim: Object
    pods: Sequence[Object] = ()


def decide(seen: Seen) -> Decision:
    claim = seen.claim
    present = claim["metadata"].get("finalizers") or []
    is_there = volumes.CLAIM_PROTECTION in present
    if not objects.is_terminating(claim):
        if is_there:
            return Decision(why="protected")
        return _write(claim, [*present, volumes.CLAIM_PROTECTION], "made before it was protected")
    if not is_there:
        return Decision(why="not protected any more")
    users = [objects.name(pod) for pod in seen.pods if uses(pod, claim)]
    if users:
        return Decision(why=f"used by {', '.join(users)}")
    return _write(claim, [one for one in present if one != volumes.CLAIM_PROTECTION], "nobody uses it")


def uses(pod: Object, claim: Object) -> bool:
    if not pods.node_name(pod):
        return False
    name = objects.name(claim)
    is_done = _is_shut_down(pod) and owners.is_owned_by(claim, pod)
    for volume in pod["spec"].get("volumes") or ():
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == name:
            return not is_done
        is_own = volume.get("ephemeral") is not None and volumes.ephemeral_name(pod, volume) == name
        if is_own and not is_done and owners.is_controlled_by(claim, pod):
            return True
    return False


def _is_shut_down(pod: Object) -> bool:
    """The kubelet is done with it, or somebody forced its deletion; only finalizers keep it."""
    return pods.is_terminating(pod) and pod["metadata"].get("deletionGracePeriodSeconds") == 0


def _write(claim: Object, finalizers: list[str], why: str) -> Decision:
    body = {"metadata": {"finalizers": finalizers or None}}
    return Decision((decision.patch(kinds.PERSISTENT_VOLUME_CLAIM, claim, body),), why)
