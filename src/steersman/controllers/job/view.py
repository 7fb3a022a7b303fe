"""What can be read off a Job and its pods, in the words the decisions use.

Source of the rules: upstream's job controller, KEP-2307 (tracking), KEP-3939 (pod replacement), KEP-3850 (limit per index).
"""

import dataclasses
import datetime
import functools
from collections.abc import Sequence

from steersman.controllers import pods
from steersman.controllers.job import policies
from steersman.meta import conditions, indexes, objects
from steersman.meta.indexes import Intervals
from steersman.meta.objects import Object

FINALIZER = "batch.kubernetes.io/job-tracking"  # on every pod that is not counted yet
INDEX = "batch.kubernetes.io/job-completion-index"  # annotation and label
FAILURES_OF_INDEX = "batch.kubernetes.io/job-index-failure-count"
IGNORED_OF_INDEX = "batch.kubernetes.io/job-index-ignored-failure-count"
CONTROLLER = "kubernetes.io/job-controller"

_INT32_MAX = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class View:
    """`pods`: those the Job counts and cares for, of any phase. Not `slots`: answers that many ask for are kept."""

    job: Object
    pods: Sequence[Object]
    now: datetime.datetime

    @functools.cached_property
    def spec(self) -> Object:
        spec: Object = self.job["spec"]
        return spec

    @functools.cached_property
    def status(self) -> Object:
        return self.job.get("status") or {}

    @property
    def is_indexed(self) -> bool:
        return self.spec.get("completionMode") == "Indexed"

    @property
    def completions(self) -> int | None:
        return self.spec.get("completions")

    @property
    def limit_per_index(self) -> int | None:
        return self.spec.get("backoffLimitPerIndex")

    @property
    def is_suspended(self) -> bool:
        return bool(self.spec.get("suspend"))

    @property
    def replaces_failed_only(self) -> bool:
        """A terminating pod is replaced when it has ended, and counts as failed only then."""
        return self.spec.get("podReplacementPolicy") == "Failed" or self.spec.get("podFailurePolicy") is not None

    @functools.cached_property
    def active(self) -> list[Object]:
        return [pod for pod in self.pods if pods.is_active(pod)]

    @functools.cached_property
    def terminating(self) -> list[Object]:
        return [pod for pod in self.pods if pods.is_terminating(pod) and not pods.is_finished(pod)]

    def is_failed(self, pod: Object) -> bool:
        if pods.phase(pod) == "Failed":
            return True
        if self.replaces_failed_only:
            return False
        return pods.is_terminating(pod) and pods.phase(pod) != "Succeeded"

    def index_of(self, pod: Object) -> int | None:
        """Its completion index, if it has one that the Job still wants."""
        number = _number(objects.annotations(pod).get(INDEX, ""))
        return number if number is not None and number < (self.completions or 0) else None

    def is_countable(self, pod: Object) -> bool:
        return not self.is_indexed or self.index_of(pod) is not None

    # What was counted, and what is new since.

    @functools.cached_property
    def uncounted_succeeded(self) -> set[str]:
        return set((self.status.get("uncountedTerminatedPods") or {}).get("succeeded") or ())

    @functools.cached_property
    def uncounted_failed(self) -> set[str]:
        return set((self.status.get("uncountedTerminatedPods") or {}).get("failed") or ())

    @functools.cached_property
    def failed(self) -> int:
        """How many pods have failed and count, also those not yet in the status."""
        policy = self.spec.get("podFailurePolicy")
        fresh = sum(
            is_tracked(pod)
            and objects.uid(pod) not in self.uncounted_failed
            and self.is_countable(pod)
            and self.is_failed(pod)
            and policies.judge(policy, pod).counts
            for pod in self.pods
        )
        return int(self.status.get("failed") or 0) + fresh + len(self.uncounted_failed)

    @functools.cached_property
    def succeeded(self) -> int:
        """How many completions there are, also those not yet in the status."""
        if self.is_indexed:
            return indexes.count(self.succeeded_indexes)
        fresh = sum(self._succeeds(pod) and objects.uid(pod) not in self.uncounted_succeeded for pod in self.pods)
        return int(self.status.get("succeeded") or 0) + fresh + len(self.uncounted_succeeded)

    @functools.cached_property
    def known_succeeded_indexes(self) -> Intervals:
        return indexes.parse_known(self.status.get("completedIndexes") or "", self.completions or 0)

    @functools.cached_property
    def succeeded_indexes(self) -> Intervals:
        fresh = indexes.of(
            index for pod in self.pods if self._succeeds(pod) and (index := self.index_of(pod)) is not None
        )
        return indexes.union(self.known_succeeded_indexes, fresh)

    def _succeeds(self, pod: Object) -> bool:
        """One that was counted as failed because it was being deleted may still end well: that is too late."""
        return is_tracked(pod) and pods.phase(pod) == "Succeeded" and objects.uid(pod) not in self.uncounted_failed

    @functools.cached_property
    def failed_indexes(self) -> Intervals:
        """Indexes that have failed for good; empty without a limit per index."""
        if self.limit_per_index is None:
            return ()
        known = indexes.parse_known(self.status.get("failedIndexes") or "", self.completions or 0)
        fresh = indexes.of(
            index
            for pod in self.pods
            if is_tracked(pod) and (index := self.index_of(pod)) is not None and self._fails_its_index(pod)
        )
        return indexes.union(known, fresh)

    def _fails_its_index(self, pod: Object) -> bool:
        if not self.is_failed(pod):
            return False
        judged = policies.judge(self.spec.get("podFailurePolicy"), pod)
        if judged.action == "FailIndex":
            return True
        return judged.counts and failures_of_index(pod) >= (self.limit_per_index or 0)

    @functools.cached_property
    def waiting_of_index(self) -> dict[int, Object]:
        """With a limit per index: the last failed pod of each index that is to be tried again. It keeps its finalizer until
        its replacement carries its count on."""
        if self.limit_per_index is None:
            return {}
        active = {self.index_of(pod) for pod in self.active}
        found: dict[int, Object] = {}
        for pod in self.pods:
            index = self.index_of(pod)
            if index is None or not is_tracked(pod) or not self.is_failed(pod) or index in active:
                continue
            if indexes.contains(self.succeeded_indexes, index) or indexes.contains(self.failed_indexes, index):
                continue
            last = found.get(index)
            if last is None or (all_failures_of_index(last), finished_at(last)) <= (
                all_failures_of_index(pod),
                finished_at(pod),
            ):
                found[index] = pod
        return found


def is_tracked(pod: Object) -> bool:
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def is_finished(job: Object) -> bool:
    return conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed")


def is_managed_by_another(job: Object) -> bool:
    manager = job["spec"].get("managedBy")
    return manager is not None and manager != CONTROLLER


def failures_of_index(pod: Object) -> int:
    return _number(objects.annotations(pod).get(FAILURES_OF_INDEX, "")) or 0


def ignored_of_index(pod: Object) -> int:
    return _number(objects.annotations(pod).get(IGNORED_OF_INDEX, "")) or 0


def all_failures_of_index(pod: Object) -> int:
    return failures_of_index(pod) + ignored_of_index(pod)


def finished_at(pod: Object) -> datetime.datetime:
    """When its last container ended; else when it became unready, was deleted or, at worst, was created."""
    return policies.finished_at(pod)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= _INT32_MAX else None
