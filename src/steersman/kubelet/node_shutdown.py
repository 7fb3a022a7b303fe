"""Shutting a node down in good order: pods end in groups, the least important first, each group with its share of time.

`groups` is pure; `NodeShutdown` carries it out. Source: KEP-2000, KEP-2712 and upstream's kubelet/nodeshutdown.
"""

import dataclasses
import datetime
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from steersman.client.client import Unreachable
from steersman.kubelet import pod_events
from steersman.kubelet.node_heartbeat import NodeHeartbeat
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_worker import PodWorker
from steersman.meta import times
from steersman.meta.errors import StatusError

_log = logging.getLogger(__name__)

CRITICAL_PRIORITY = 2_000_000_000
NOT_READY = "node is shutting down"
REASON, MESSAGE = "Terminated", "Pod was terminated in response to imminent node shutdown."
REJECTED_REASON, REJECTED_MESSAGE = "NodeShutdown", "Pod was rejected as the node is shutting down."
LOOK_SECONDS = 0.05
STATE_FILE = "graceful_node_shutdown_state"


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Pods (by uid) that end together, within `seconds`."""

    seconds: float
    uids: tuple[str, ...]


def steps(total_seconds: float, critical_seconds: float) -> tuple[tuple[int, float], ...]:
    """(least priority, seconds) of each group, for upstream's two settings."""
    return ((0, max(0.0, total_seconds - critical_seconds)), (CRITICAL_PRIORITY, critical_seconds))


def groups(priorities: Mapping[str, int], by_priority: Iterable[tuple[int, float]]) -> list[Group]:
    """A pod belongs to the highest step that is not above it; one below all steps to the lowest. Empty groups take no time."""
    ordered = sorted(by_priority)
    members: list[list[str]] = [[] for _ in ordered]
    for uid, priority in priorities.items():
        below = [number for number, (least, _) in enumerate(ordered) if least <= priority]
        members[below[-1] if below else 0].append(uid)
    return [Group(seconds, tuple(uids)) for (_, seconds), uids in zip(ordered, members, strict=True) if uids]


def save(folder: Path, started: datetime.datetime, ended: datetime.datetime | None) -> None:
    """Upstream's record of the last shutdown, for whoever asks after the next start whether it came to its end."""
    text = json.dumps(
        {
            "startTime": times.format_micros(started),
            "endTime": times.format_micros(ended) if ended is not None else None,
        }
    )
    new = folder / f".{STATE_FILE}"
    new.write_text(text)
    new.replace(folder / STATE_FILE)


class NodeShutdown:
    def __init__(
        self, node: NodeServices, heartbeat: NodeHeartbeat, workers: Callable[[], Sequence[PodWorker]]
    ) -> None:
        self._node = node
        self._heartbeat = heartbeat
        self._workers = workers
        self.begun = False

    async def run(self) -> bool:
        """Until every pod has ended, or its group's time is over: True. The node takes no more pods from now on. False: it was
        called off, and groups whose turn had not come live on."""
        self.begun, started = True, self._node.clock.now()
        self._save(started, None)
        await self._tell("Shutdown manager detected shutdown event", NOT_READY)
        alive = [worker for worker in self._workers() if not worker.machine.is_over]
        by_uid = {worker.uid: worker for worker in alive}
        priorities = {uid: int(worker.pod["spec"].get("priority") or 0) for uid, worker in by_uid.items()}
        for group in groups(priorities, self._steps()):
            if not self.begun:
                break
            await self._end([by_uid[uid] for uid in group.uids], group.seconds)
        for worker in alive:
            await self._node.writer.flush(worker.uid)
        self._save(started, self._node.clock.now())
        return self.begun

    async def call_off(self) -> None:
        """The machine stays up after all: the node takes pods again. Who was told to end does so."""
        if self.begun:
            self.begun = False
            await self._tell("Shutdown manager detected shutdown cancellation", "")

    async def _tell(self, message: str, not_ready: str) -> None:
        self._node.recorder.event(self._heartbeat.node, "Normal", "Shutdown", message)
        self._heartbeat.not_ready = not_ready
        try:
            await self._heartbeat.status_changed()
        except (StatusError, Unreachable) as failure:
            _log.warning("the API does not hear of it: %s: %s", message, failure)

    def _save(self, started: datetime.datetime, ended: datetime.datetime | None) -> None:
        if not self._node.options.on_paper:
            save(self._node.options.data_dir, started, ended)

    def _steps(self) -> tuple[tuple[int, float], ...]:
        options = self._node.options
        return options.shutdown_by_priority or steps(
            options.shutdown_grace_seconds, options.shutdown_grace_critical_seconds
        )

    async def _end(self, workers: Sequence[PodWorker], seconds: float) -> None:
        for worker in workers:
            grace = min(worker.machine.grace_seconds(), seconds)
            worker.tell(pod_events.PodFailed(REASON, MESSAGE, grace, disrupts=True))
        end = self._node.clock.monotonic() + seconds
        while not all(worker.machine.is_over for worker in workers):
            if self._node.clock.monotonic() >= end:
                names = [worker.machine.pod["metadata"]["name"] for worker in workers if not worker.machine.is_over]
                _log.warning("shutting down: pods that did not end within %g s: %s", seconds, ", ".join(names))
                return
            await self._node.clock.sleep(LOOK_SECONDS)
