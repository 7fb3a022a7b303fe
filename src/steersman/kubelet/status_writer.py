"""Carries pods' statuses to the API: in order, at most one write in flight per pod, the latest wins.

A failed write is tried again with growing pauses; a status that someone else overwrote is written again. The `was` that a
patch starts from is always a status the API has confirmed.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable

from steersman.aio.backoff import Backoff, Pauses
from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.api import kinds
from steersman.client.client import Client, Unreachable
from steersman.kubelet import status as pod_status
from steersman.kubelet.alarms import Alarms
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# A start that goes well is told once, with its result, unless it takes longer than this: each status costs the API server as much
# as it costs the node to start a container.
START_TOLD_AFTER_SECONDS = 1.0
# Writes of one process under way at the same time: enough to keep the API server's group commits full.
IN_FLIGHT_MAX = 64
PAUSES = Pauses(initial_seconds=0.2, max_seconds=5.0)


@dataclasses.dataclass(slots=True)
class _Entry:
    namespace: str
    name: str
    uid: str
    confirmed: Object
    revision: int
    wanted: Object | None = None
    writing: asyncio.Task[None] | None = None
    gone: bool = False


class StatusWriter:
    def __init__(self, client: Client, clock: Clock, tasks: Tasks, alarms: Alarms) -> None:
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._alarms = alarms
        self._entries: dict[str, _Entry] = {}
        self._limit = asyncio.Semaphore(IN_FLIGHT_MAX)

    def confirmed(self, uid: str) -> Object:
        """The status that the API is known to have."""
        entry = self._entries.get(uid)
        return entry.confirmed if entry is not None else {}

    def observe(self, pod: Object, of: str = "") -> None:
        """A newer object was seen: what it says is confirmed; what it says wrongly is written again. `of` is the uid of the
        static pod whose mirror it is."""
        uid, revision = objects.uid(pod), objects.revision(pod)
        key = of or uid
        entry = self._entries.get(key)
        if entry is None or entry.uid != uid:
            self.forget(key)
            self._entries[key] = _Entry(
                objects.namespace(pod), objects.name(pod), uid, pod.get("status") or {}, revision
            )
            return
        if entry.writing is not None or revision <= entry.revision:
            return
        entry.confirmed, entry.revision = pod.get("status") or {}, revision
        if entry.wanted is not None and pod_status.patch(entry.confirmed, entry.wanted):
            self._write_soon(entry)

    def report(self, uid: str, status: Object) -> None:
        self._alarms.cancel(("status", uid))
        entry = self._entries.get(uid)
        if entry is not None and not entry.gone:
            entry.wanted = status
            self._write_soon(entry)

    def report_later(self, uid: str, build: Callable[[], Object]) -> None:
        """The pod is starting: unless something else is reported soon, what `build` gives then."""
        if uid in self._entries and not self._alarms.is_set(("status", uid)):
            self._alarms.set(("status", uid), START_TOLD_AFTER_SECONDS, lambda: self.report(uid, build()))

    async def flush(self, uid: str) -> None:
        """Wait until the API has the latest status (or no longer has the pod)."""
        entry = self._entries.get(uid)
        if entry is None:
            return
        self._alarms.cancel(("status", uid))
        if entry.writing is None:
            self._write_soon(entry)
        while entry.writing is not None:
            await asyncio.wait([entry.writing])

    def forget(self, uid: str) -> None:
        self._alarms.cancel(("status", uid))
        entry = self._entries.pop(uid, None)
        if entry is not None:
            entry.gone = True

    def _write_soon(self, entry: _Entry) -> None:
        if entry.writing is None and not entry.gone:
            entry.writing = self._tasks.start(f"status of {entry.namespace}/{entry.name}", self._write(entry))

    async def _write(self, entry: _Entry) -> None:
        try:
            pauses = Backoff(self._clock, PAUSES)
            sent: Object | None = None
            while not entry.gone and entry.wanted is not None and entry.wanted is not sent:
                patch = pod_status.patch(entry.confirmed, entry.wanted)
                if not patch:
                    return
                wanted = entry.wanted
                try:
                    async with self._limit:
                        await self._send(entry, patch)
                    sent = wanted
                except (StatusError, Unreachable) as refused:
                    if not _is_temporary(refused):
                        _log.info("status of %s/%s: %s", entry.namespace, entry.name, refused)
                        entry.gone = isinstance(refused, StatusError) and refused.code == 404
                        return
                    await pauses.wait()
        finally:
            entry.writing = None

    async def _send(self, entry: _Entry, patch: Object) -> None:
        body = {"metadata": {"uid": entry.uid}, "status": patch}
        where = kinds.POD, entry.name, entry.namespace
        because = entry.revision
        answer = await self._client.patch(*where, body, type="strategic", subresource="status", because=because)
        entry.confirmed, entry.revision = answer.get("status") or {}, objects.revision(answer)


def _is_temporary(refused: StatusError | Unreachable) -> bool:
    if isinstance(refused, Unreachable):
        return True
    # A conflict may pass; where another pod has taken the name, the watch says so and the entry is forgotten.
    return refused.code in (409, 429) or refused.code >= 500
