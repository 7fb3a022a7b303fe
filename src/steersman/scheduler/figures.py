"""What the scheduler tells monitoring, under upstream's names.

Pods are decided many at once here: an attempt lasts from the moment its batch is decided to the answer to the binding, and there
are no extension points of one pod to be measured. Source: upstream's pkg/scheduler/metrics/metrics.go.
"""

from collections.abc import Iterator, Mapping

from steersman.meta.exposition import Family, Figures, Sample

ATTEMPTS_SHOWN_MAX = 15  # beyond it a label says "15+"

_COUNTERS = {
    "scheduler_schedule_attempts_total": Family(
        "[STABLE] Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while "
        "'error' means an internal scheduler problem."
    ),
    "scheduler_queue_incoming_pods_total": Family(
        "[STABLE] Number of pods added to scheduling queues by event and queue type."
    ),
    "scheduler_preemption_attempts_total": Family("[STABLE] Total preemption attempts in the cluster till now"),
}
_HISTOGRAMS = {
    "scheduler_scheduling_attempt_duration_seconds": Family(
        "[STABLE] Scheduling attempt latency in seconds (scheduling algorithm + binding)",
        tuple(0.001 * 2**power for power in range(15)),
    ),
    "scheduler_pod_scheduling_sli_duration_seconds": Family(
        "[BETA] E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might involve "
        "multiple scheduling attempts.",
        tuple(0.01 * 2**power for power in range(20)),
    ),
    "scheduler_pod_scheduling_attempts": Family(
        "[STABLE] Number of attempts to successfully schedule a pod.", (1.0, 2.0, 4.0, 8.0, 16.0)
    ),
    "scheduler_preemption_victims": Family(
        "[STABLE] Number of selected preemption victims", (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
    ),
}
_PENDING = (
    "[STABLE] Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'backoff' means number of pods "
    "in backoffQ; 'unschedulable' means number of pods in unschedulablePods that the scheduler attempted to schedule and failed; "
    "'gated' is the number of unschedulable pods that the scheduler never attempted to schedule because they are gated."
)


class SchedulerFigures:
    """Of each pod that waits: since when, how often it was tried, and when the last attempt began."""

    def __init__(self, profile: str) -> None:
        self._profile = profile
        self._figures = Figures(_COUNTERS, _HISTOGRAMS)
        self._waiting: dict[str, list[float]] = {}  # [since, attempts, the last one's begin]

    def entered(self, key: str, now: float) -> None:
        """A pod that wants a node."""
        if key not in self._waiting:
            self._waiting[key] = [now, 0, now]
            self._figures.count("scheduler_queue_incoming_pods_total", event="PodAdd", queue="active")

    def left(self, key: str) -> None:
        """It is gone, or has a node from elsewhere."""
        self._waiting.pop(key, None)

    def tried(self, key: str, now: float) -> None:
        found = self._waiting.get(key)
        if found is not None:
            found[1] += 1
            found[2] = now

    def bound(self, key: str, now: float) -> None:
        found = self._waiting.pop(key, None)
        if found is None:
            return
        since, attempts, began = found
        shown = str(int(attempts)) if attempts < ATTEMPTS_SHOWN_MAX else f"{ATTEMPTS_SHOWN_MAX}+"
        self._ended("scheduled", now - began)
        self._figures.observe("scheduler_pod_scheduling_sli_duration_seconds", now - since, attempts=shown)
        self._figures.observe("scheduler_pod_scheduling_attempts", attempts)

    def refused(self, key: str, now: float) -> None:
        """No node will do."""
        self._failed(key, now, "unschedulable", "unschedulable")

    def failed(self, key: str, now: float) -> None:
        """A node was chosen and could not be had."""
        self._failed(key, now, "error", "backoff")

    def preempting(self, victims: int) -> None:
        self._figures.count("scheduler_preemption_attempts_total")
        if victims:
            self._figures.observe("scheduler_preemption_victims", victims)

    def samples(self, pending: Mapping[str, int]) -> Iterator[Sample]:
        """`pending`: how many pods are in each queue."""
        for queue, count in pending.items():
            yield Sample("scheduler_pending_pods", count, {"queue": queue}, "gauge", _PENDING)
        yield from self._figures.samples()

    def _failed(self, key: str, now: float, result: str, queue: str) -> None:
        found = self._waiting.get(key)
        self._ended(result, now - found[2] if found is not None else 0.0)
        self._figures.count("scheduler_queue_incoming_pods_total", event="ScheduleAttemptFailure", queue=queue)

    def _ended(self, result: str, seconds: float) -> None:
        self._figures.count("scheduler_schedule_attempts_total", profile=self._profile, result=result)
        name = "scheduler_scheduling_attempt_duration_seconds"
        self._figures.observe(name, seconds, profile=self._profile, result=result)
