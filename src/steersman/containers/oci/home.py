"""What the parts of one embedded runtime share: its folders, its shim, what the machine can, and where events go."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

from steersman.aio.clock import Clock
from steersman.containers import runtime
from steersman.containers.oci import host, shim_client
from steersman.containers.runtime import RuntimeFailure

MEETINGS_MAX = 5  # a dying process is gone within milliseconds, a new shim starts in 0.1 s
MEETING_PAUSE_SECONDS = 0.05
EVENTS_WAITING_MAX = 10_000  # an event more is dropped: the reader lists again now and then


class Home:
    """`facts` and `shim` are known once the runtime has started."""

    def __init__(self, root_dir: str, run_dir: str, clock: Clock) -> None:
        self.root_dir = root_dir
        self.run_dir = run_dir
        self.clock = clock
        self._facts: host.Facts | None = None
        self._shim: shim_client.ShimClient | None = None
        self._events: asyncio.Queue[runtime.ContainerEvent] = asyncio.Queue(EVENTS_WAITING_MAX)

    def open(self, facts: host.Facts, shim: shim_client.ShimClient) -> None:
        self._facts, self._shim = facts, shim

    def close(self) -> None:
        if self._shim is not None:
            self._shim.close()

    @property
    def facts(self) -> host.Facts:
        assert self._facts is not None, "start() first"
        return self._facts

    @property
    def shim(self) -> shim_client.ShimClient:
        assert self._shim is not None, "start() first"
        return self._shim

    async def ask(self, reason: str, do: str, **arguments: Any) -> Any:
        """Ask the shim; its refusals become RuntimeFailures."""
        try:
            return await self.shim.ask(do, **arguments)
        except (shim_client.Refused, shim_client.ShimGone) as failed:
            raise RuntimeFailure(reason, str(failed)) from failed

    async def meet_shim(self) -> None:
        """Wait for an answer, which is more than a connection: a new shim listens before it has found out which containers
        ended without one, and tells nobody. Once it answers, that stands on disk, and every later end is told. One that was
        killed a moment ago may still take a connection, but answers no more: the next try meets its successor."""
        for tries_left in reversed(range(MEETINGS_MAX)):
            try:
                await self.shim.ask("list")
            except shim_client.ShimGone:
                if not tries_left:
                    raise
                await self.clock.sleep(MEETING_PAUSE_SECONDS)
            else:
                return

    def tell(self, pod_uid: str, sandbox_id: str, container_id: str, kind: str) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(runtime.ContainerEvent(pod_uid, sandbox_id, container_id, kind))

    async def events(self) -> AsyncIterator[runtime.ContainerEvent]:
        while True:
            yield await self._events.get()

    def new_id(self) -> str:
        return self.clock.uid().replace("-", "")

    def sandbox_folder(self, sandbox_id: str) -> str:
        return os.path.join(self.run_dir, "sandboxes", sandbox_id)

    def container_folder(self, container_id: str) -> str:
        return os.path.join(self.run_dir, "containers", container_id)

    def changes_folder(self, container_id: str) -> str:
        """Kept on disk: what a container has written over its image."""
        return os.path.join(self.root_dir, "containers", container_id)
