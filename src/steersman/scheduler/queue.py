"""Pods, and groups of pods, that wait for nodes: those to try now, by priority and age, and those that wait for a change.

Keeps true: a pod is in the queue at most once, and either ready, waiting, or in the caller's hands (taken).
A refused pod is ready again when something happens that could help one of the filters that refused it, but not before its
own growing pause is over; and in any case after some minutes, should a helpful change ever be missed.
Source of the delays: upstream's scheduling queue (podInitialBackoffSeconds, podMaxBackoffSeconds, 5 minute flush).
"""

import dataclasses
import heapq
from collections.abc import Iterable

from steersman.scheduler.pending import Pending

BACKOFF_INITIAL_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 10.0
WAIT_MAX_SECONDS = 300.0


@dataclasses.dataclass(slots=True, eq=False)
class _Entry:
    """`due`: when it becomes ready by itself; None while ready or taken."""

    pod: Pending
    age: int
    attempts: int = 0
    refused_by: frozenset[str] = frozenset()
    refused_at: float = 0.0
    due: float | None = None
    taken: bool = False

    @property
    def pause_seconds(self) -> float:
        return float(min(BACKOFF_INITIAL_SECONDS * 2 ** min(self.attempts - 1, 10), BACKOFF_MAX_SECONDS))


class Queue:
    """All times are the caller's monotonic seconds."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._ready: list[tuple[int, int, int, _Entry]] = []
        self._due: list[tuple[float, int, _Entry]] = []
        self._waiting: dict[str, _Entry] = {}
        self._ages = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, pod: Pending) -> bool:
        """A new pod, or one that now asks for something else: try it now. False: it is known like this."""
        entry = self._entries.get(pod.key)
        if entry is None:
            entry = self._entries[pod.key] = _Entry(pod, self._next_age())
        elif entry.pod.is_like(pod):
            return False
        else:
            entry = self._entries[pod.key] = dataclasses.replace(entry, pod=pod, due=None, taken=False)
            self._waiting.pop(pod.key, None)
        self._make_ready(entry)
        return True

    def replace(self, pod: Pending) -> None:
        """A group of which some pods wait no more: it stays where it is in the queue."""
        entry = self._entries.get(pod.key)
        if entry is not None:
            entry.pod = pod

    def remove(self, key: str) -> None:
        """The pod has a node, or is gone."""
        self._entries.pop(key, None)
        self._waiting.pop(key, None)

    def take(self, limit: int, now: float) -> list[Pending]:
        """The next pods to try; each must then be `remove`d, `refused` or `failed`."""
        self._wake_due(now)
        found: list[Pending] = []
        while self._ready and len(found) < limit:
            *_, entry = heapq.heappop(self._ready)
            if self._is_current(entry) and not entry.taken and entry.due is None:
                entry.taken = True
                found.append(entry.pod)
        return found

    def refused(self, pod: Pending, filters: frozenset[str], now: float) -> None:
        """No node will do: wait until something changes."""
        entry = self._entries.get(pod.key)
        if entry is None or entry.pod is not pod:
            return
        entry.attempts += 1
        entry.refused_by, entry.refused_at = filters, now
        self._waiting[pod.key] = entry
        self._wait_until(entry, now + WAIT_MAX_SECONDS)

    def failed(self, pod: Pending, now: float) -> None:
        """A node was chosen but could not be had: try again after a pause."""
        entry = self._entries.get(pod.key)
        if entry is None or entry.pod is not pod:
            return
        entry.attempts += 1
        self._wait_until(entry, now + entry.pause_seconds)

    def happened(self, helped: Iterable[str], now: float) -> None:
        """Something changed that may make these filters (by upstream's names) pass: wake whom they refused."""
        helped = frozenset(helped)
        for key, entry in [*self._waiting.items()]:
            if not entry.refused_by or entry.refused_by & helped:
                del self._waiting[key]
                ready_at = entry.refused_at + entry.pause_seconds
                if ready_at <= now:
                    self._make_ready(entry)
                else:
                    self._wait_until(entry, ready_at)

    def next_due(self, now: float) -> float | None:
        """Seconds until a pod is ready: 0 for now; None: never without a change."""
        self._wake_due(now)
        if any(self._is_current(entry) and not entry.taken for *_, entry in self._ready):
            return 0.0
        return self._due[0][0] - now if self._due else None

    def statistics(self) -> dict[str, int]:
        taken = sum(entry.taken for entry in self._entries.values())
        waiting = len(self._waiting)
        return {"pods": len(self._entries), "waiting for a change": waiting, "being tried": taken}

    def pending(self) -> dict[str, int]:
        """Under upstream's names of its queues: to try now, after a pause, when something changes."""
        pausing = sum(entry.due is not None and entry.pod.key not in self._waiting for entry in self._entries.values())
        active = len(self._entries) - len(self._waiting) - pausing
        return {"active": active, "backoff": pausing, "unschedulable": len(self._waiting)}

    def _wake_due(self, now: float) -> None:
        while self._due:
            at, _, entry = self._due[0]
            if self._is_current(entry) and entry.due == at:
                if at > now:
                    return
                self._waiting.pop(entry.pod.key, None)
                self._make_ready(entry)
            heapq.heappop(self._due)

    def _make_ready(self, entry: _Entry) -> None:
        entry.due, entry.taken = None, False
        # A pod that asks for something else keeps its age: only the last number is nobody else's.
        heapq.heappush(self._ready, (-entry.pod.priority, entry.age, self._next_age(), entry))

    def _wait_until(self, entry: _Entry, at: float) -> None:
        entry.due, entry.taken = at, False
        heapq.heappush(self._due, (at, self._next_age(), entry))

    def _is_current(self, entry: _Entry) -> bool:
        return self._entries.get(entry.pod.key) is entry

    def _next_age(self) -> int:
        self._ages += 1
        return self._ages
