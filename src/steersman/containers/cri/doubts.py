"""Sandboxes that a runtime was asked for and never told of: its answer was lost, or this process ended before it came.

Keeps true: whatever the runtime made of such a request is found again, so that it does not run on without anyone who knows it.
Reads and writes: a file for each request that is not answered.
"""

import re
from pathlib import Path

from steersman.aio.clock import Clock
from steersman.containers import runtime
from steersman.containers.oci import statuses
from steersman.serving.protobuf import Message

# A runtime gives up making a sandbox when its client has; what shows only later than this was never seen.
DOUBT_SECONDS = 600.0
SUFFIX = ".asked"
_NOT_A_NAME = re.compile(r"[^\w.-]")


class Doubts:
    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._open: dict[tuple[str, int], tuple[runtime.SandboxConfig, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def read(self) -> None:
        """What an earlier process asked for."""
        for file in self._folder.glob(f"*{SUFFIX}"):
            if (config := statuses.read_sandbox_config(str(file))) is not None:
                self._open[config.pod_uid, config.attempt] = config, self._clock.monotonic()
            else:
                file.unlink(missing_ok=True)

    def begin(self, config: runtime.SandboxConfig) -> None:
        """It is about to be asked for."""
        statuses.write_sandbox_config(str(self._file(config)), config)
        self._open[config.pod_uid, config.attempt] = config, self._clock.monotonic()

    def settle(self, config: runtime.SandboxConfig) -> None:
        """The runtime has answered."""
        self._open.pop((config.pod_uid, config.attempt), None)
        self._file(config).unlink(missing_ok=True)

    def find(self, listed: Message) -> runtime.SandboxConfig | None:
        """What a sandbox of the runtime's list was asked for, where nobody was told that it was made."""
        meta = listed.get("metadata", {})
        found = self._open.get((meta.get("uid", ""), meta.get("attempt", 0)))
        return found[0] if found else None

    def drop_old(self) -> None:
        """Nothing has come of them."""
        oldest = self._clock.monotonic() - DOUBT_SECONDS
        for config, since in tuple(self._open.values()):
            if since < oldest:
                self.settle(config)

    def _file(self, config: runtime.SandboxConfig) -> Path:
        return self._folder / f"{_NOT_A_NAME.sub('_', config.pod_uid)}_{config.attempt}{SUFFIX}"
