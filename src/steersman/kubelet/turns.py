"""Pods that come together are started a few at a time, in the order they came.

All at once each of them would be up only when the last one is, and each would have to tell of its slow start in between. Nobody
waits for a pod that takes long (it waits for a volume, say): after TURN_SECONDS the next one begins.
"""

import asyncio

from steersman.kubelet.alarms import Alarms

TURN_SECONDS = 0.5  # a pod of two containers alone takes 0.1 s
AT_ONCE_FOR_EACH_CPU = 4  # enough to fill a processor while some wait for the API or the disk


class Turns:
    """A turn is for making a pod's volumes, sandbox and first containers; it is a courtesy, not a lock."""

    def __init__(self, alarms: Alarms, at_once: int) -> None:
        self._alarms = alarms
        self._at_once = at_once
        self._going: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}

    @property
    def are_taken(self) -> bool:
        """Somebody has one."""
        return bool(self._going)

    async def wait(self, uid: str) -> None:
        """For the pod's turn; at once where it has it."""
        if uid in self._going:
            return
        if uid not in self._waiting and len(self._going) < self._at_once:
            self._begin(uid)
            return
        waiting = self._waiting.get(uid)
        if waiting is None:
            waiting = self._waiting[uid] = asyncio.get_running_loop().create_future()
        await asyncio.shield(waiting)

    def end(self, uid: str) -> None:
        """It is up, has failed, or is to go. Idempotent."""
        self._alarms.cancel(("turn", uid))
        self._going.discard(uid)
        self._settle(self._waiting.pop(uid, None))
        while self._waiting and len(self._going) < self._at_once:
            first = next(iter(self._waiting))
            self._begin(first)
            self._settle(self._waiting.pop(first))

    def _begin(self, uid: str) -> None:
        self._going.add(uid)
        self._alarms.set(("turn", uid), TURN_SECONDS, lambda: self.end(uid))

    @staticmethod
    def _settle(waiting: "asyncio.Future[None] | None") -> None:
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
