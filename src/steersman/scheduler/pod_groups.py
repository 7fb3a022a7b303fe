"""Which PodGroups there are, and which pods of each wait for a node.

Keeps true: a pod of a group is never tried alone, and a gang not before enough of its pods are there.
Source: upstream's GangScheduling plugin (PreEnqueue), KEP-4671.
"""

from collections.abc import Mapping

from steersman.scheduler.pending import PendingGroup, PendingPod, PodGroup


class PodGroups:
    """`known` is the snapshot's; written by the controller; keys are namespace/name."""

    def __init__(self, known: dict[str, PodGroup]) -> None:
        self.known = known
        self._waiting: dict[str, dict[str, PendingPod]] = {}  # group → pods in order of arrival
        self._group_of: dict[str, str] = {}

    def wait(self, pod: PendingPod) -> bool:
        """The pod, which names a group, has no node yet. False: it is known like this."""
        before = self._waiting.get(pod.pod_group, {}).get(pod.key)
        if before is not None and before.is_like(pod):
            return False
        self._waiting.setdefault(pod.pod_group, {})[pod.key] = pod
        self._group_of[pod.key] = pod.pod_group
        return True

    def leave(self, key: str) -> str:
        """The pod has a node, or is gone: the group that it waited in, "" for none."""
        group = self._group_of.pop(key, "")
        if group:
            pods = self._waiting[group]
            del pods[key]
            if not pods:
                del self._waiting[group]
        return group

    def ready(self, key: str, placed: int) -> PendingGroup | None:
        """What can be tried of the group, of which `placed` pods have nodes; None: not yet, or nobody waits."""
        group, pods = self.known.get(key), self._waiting.get(key, {})
        if group is None or not pods or (group.is_gang and len(pods) + placed < group.needed):
            return None
        return PendingGroup(group, tuple(sorted(pods.values(), key=lambda pod: -pod.priority)))

    def statistics(self) -> Mapping[str, int]:
        return {"pod groups": len(self.known), "pods waiting in groups": len(self._group_of)}
