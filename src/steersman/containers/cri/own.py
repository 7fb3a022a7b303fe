"""OwnContainerd: CRI pods on a containerd that belongs to the node, started with it and kept alive."""

import asyncio
import logging
import os
from pathlib import Path

from steersman.aio.clock import Clock
from steersman.containers.cri.containerd import Containerd
from steersman.containers.cri.remote import CriRuntime

_log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class OwnContainerd(CriRuntime):
    def __init__(
        self, daemon: Containerd, state_dir: Path | str | os.PathLike[str], clock: Clock, cgroup_root: str
    ) -> None:
        super().__init__(str(daemon.socket), state_dir, clock, cgroup_root)
        self.daemon = daemon
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.daemon.start()
        await super().start()
        self._keeper = asyncio.create_task(self._keep(), name="containerd keeper")

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        await super().close()

    async def destroy(self) -> None:
        """And containerd with it; its images stay."""
        await super().destroy()
        await self.daemon.stop()
        self.daemon.clear_away()

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            try:
                await self.daemon.start()
            except (OSError, TimeoutError) as failed:
                _log.warning("containerd cannot be started again: %s", failed)
