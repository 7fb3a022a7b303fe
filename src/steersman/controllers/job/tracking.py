"""Count every pod exactly once, whatever happens in between.

A pod is born with a finalizer, so it cannot vanish uncounted. When it has ended:
1. its uid is written into the Job's `uncountedTerminatedPods` (or its index into `completedIndexes`);
2. its finalizer is removed;
3. once the finalizer is seen to be gone, the uid moves from the list into the counter, in one write.
Killed between any two steps, the next decision goes on: a uid in the list is never added again, and the list and the
counter change together, on the state that was seen. Source: KEP-2307.
"""

import dataclasses

from steersman.controllers import pods
from steersman.controllers.job import policies
from steersman.controllers.job.view import View, is_tracked
from steersman.meta import indexes, objects
from steersman.meta.objects import Object

UNCOUNTED_MAX = 500  # upstream's MaxUncountedPods: keeps the list below 20 kB


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """`counts` is the part of the status that counts; `to_release`: pods that may lose their finalizer once it is written."""

    counts: Object
    to_release: list[Object]

    @property
    def is_settled(self) -> bool:
        """Nothing is left to count."""
        return not self.to_release and not self.counts.get("uncountedTerminatedPods")


def count(view: View, *, ending: str) -> Tally:
    """`ending`: "" while the Job goes on, `SuccessCriteriaMet` or `FailureTarget` when it is about to end."""
    counter = _Counter(view, ending)
    for pod in _in_order(view):
        if not is_tracked(pod) or not counter.may_release(pod):
            continue
        counter.add(pod)
        if len(counter.to_release) >= UNCOUNTED_MAX:
            break
    return Tally(counter.counts(), counter.to_release)


class _Counter:
    def __init__(self, view: View, ending: str) -> None:
        self._view, self._ending = view, ending
        self.to_release: list[Object] = []
        tracked = {objects.uid(pod) for pod in view.pods if is_tracked(pod)}
        self._succeeded, self._new_succeeded = self._moved(view, "succeeded", tracked)
        self._failed, self._new_failed = self._moved(view, "failed", tracked)
        self._indexes: list[int] = []

    @staticmethod
    def _moved(view: View, field: str, tracked: set[str]) -> tuple[int, list[str]]:
        """Step 3: the counter, and who stays in the list."""
        listed = (view.status.get("uncountedTerminatedPods") or {}).get(field) or []
        kept = [uid for uid in listed if uid in tracked]
        return int(view.status.get(field) or 0) + len(listed) - len(kept), kept

    def may_release(self, pod: Object) -> bool:
        view = self._view
        if objects.is_terminating(view.job) or self._ending or pods.phase(pod) == "Succeeded":
            return True
        if not view.is_failed(pod):
            return False
        index = view.index_of(pod)
        return index is None or view.waiting_of_index.get(index) is not pod

    def add(self, pod: Object) -> None:
        view, uid = self._view, objects.uid(pod)
        self.to_release.append(pod)
        if pods.phase(pod) == "Succeeded" and uid not in view.uncounted_failed:
            index = view.index_of(pod)
            if view.is_indexed:
                if index is not None:
                    self._indexes.append(index)
            elif uid not in view.uncounted_succeeded:
                self._new_succeeded.append(uid)
        elif uid not in view.uncounted_failed and self._is_failure(pod):
            self._new_failed.append(uid)

    def _is_failure(self, pod: Object) -> bool:
        """Where the whole Job fails, a pod that has not ended has failed too."""
        view = self._view
        has_failed = view.is_failed(pod) or self._ending == "FailureTarget"
        return has_failed and view.is_countable(pod) and policies.judge(view.spec.get("podFailurePolicy"), pod).counts

    def counts(self) -> Object:
        view = self._view
        found: Object = {"failed": self._failed, "succeeded": self._succeeded}
        if view.is_indexed:
            done = indexes.union(view.known_succeeded_indexes, indexes.of(self._indexes))
            found["succeeded"] = indexes.count(done)
            found["completedIndexes"] = indexes.format(done)
            if view.limit_per_index is not None:
                found["failedIndexes"] = indexes.format(view.failed_indexes)
        uncounted = {"succeeded": self._new_succeeded, "failed": self._new_failed}
        found["uncountedTerminatedPods"] = {field: uids for field, uids in uncounted.items() if uids}
        return found


def _in_order(view: View) -> list[Object]:
    if not view.is_indexed:
        return list(view.pods)
    return sorted(view.pods, key=lambda pod: -1 if (index := view.index_of(pod)) is None else index)
