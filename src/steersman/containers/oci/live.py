"""A sandbox and a container that are there: what is on disk about them, and what this process holds of them."""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from steersman.containers import runtime
from steersman.containers.oci import records, statuses
from steersman.containers.runtime import State


@dataclasses.dataclass(slots=True)
class LiveSandbox:
    record: statuses.SandboxRecord
    containers: "dict[str, LiveContainer]" = dataclasses.field(default_factory=dict)
    busy: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)

    @property
    def config(self) -> runtime.SandboxConfig:
        return self.record.config


@dataclasses.dataclass(slots=True)
class LiveContainer:
    """`pidfd` is held while it runs: should the shim be killed, the kernel still tells how it ended."""

    sandbox: LiveSandbox
    record: statuses.ContainerRecord
    status: runtime.ContainerStatus
    folder: str
    pidfd: int = -1
    ended: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    is_starting: bool = False

    @property
    def is_running(self) -> bool:
        return self.status.state is State.RUNNING

    def began(self, begun: Mapping[str, Any]) -> None:
        self.status = statuses.started(self.status, begun)
        self.hold()

    def finish(self, ending: dict[str, Any]) -> bool:
        """It has ended; whether that is news. What nobody saw, the kernel may still tell, and then stands on disk too."""
        if self.status.state is State.EXITED:
            return False
        if self.status.state is State.CREATED:  # it ended before we heard that it had started
            begun = records.read(os.path.join(self.folder, records.STARTED))
            self.status = statuses.started(self.status, begun) if begun else self.status
        if ending["unknown"] and self.pidfd >= 0:
            ending = statuses.with_known_status(ending, self.pidfd, self.status.pid)
            path = os.path.join(self.folder, records.EXIT)
            records.write(path, {key: ending[key] for key in ("code", "signal", "at", "oom", "unknown")})
        self.status = statuses.exited(self.status, ending)
        self.let_go()
        self.ended.set()
        return True

    def hold(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.pidfd = os.pidfd_open(self.status.pid)

    def let_go(self) -> None:
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
