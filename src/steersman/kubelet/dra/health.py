"""What drivers say of the health of their devices: one stream for each driver that says so, as long as it is registered.

Keeps true: what was told holds for the time that the driver gives it, and not beyond the end of its stream.
Source: upstream's kubelet/cm/dra (healthinfo, HandleWatchResourcesStream), KEP-4680.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.csi import sockets
from steersman.kubelet.resource_health import HEALTHY, UNHEALTHY, UNKNOWN
from steersman.serving import protobuf

SCHEMA = Path(__file__).with_name("health.proto")
SERVICE, METHOD = "DRAResourceHealth", "NodeWatchResources"
VERSIONS = ("v1", "v1beta1", "v1alpha1")
HOLDS_SECONDS = 30.0  # upstream's, where a driver says nothing else
AGAIN_SECONDS = 5.0  # upstream's, after a stream that broke
MESSAGE_MOST = 1024

_WORDS = {"HEALTHY": HEALTHY, "UNHEALTHY": UNHEALTHY}

_log = logging.getLogger(__name__)


class Told(NamedTuple):
    health: str
    message: str = ""
    until: float = 0.0  # monotonic


NOTHING = Told(UNKNOWN)


class Health:
    """`changed` is called whenever some device may be another than before."""

    def __init__(self, clock: Clock, tasks: Tasks, changed: Callable[[], None]) -> None:
        self._clock = clock
        self._tasks = tasks
        self._changed = changed
        self._told: dict[str, dict[tuple[str, str], Told]] = {}
        self._following: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def of(self, driver: str, pool: str, device: str) -> Told:
        found = self._told.get(driver, {}).get((pool, device), NOTHING)
        return found if found.until > self._clock.monotonic() else NOTHING

    def follow(self, driver: str, socket: Path, versions: Sequence[str]) -> None:
        """A driver is registered, and speaks these services."""
        self.forget(driver)
        version = next((one for one in VERSIONS if f"{one}.{SERVICE}" in versions), "")
        if version:
            self._following[driver] = self._tasks.start(f"health of {driver}", self._follow(driver, socket, version))

    def forget(self, driver: str) -> None:
        for tasks in (self._following, self._waiting):
            if driver in tasks:
                tasks.pop(driver).cancel()

    async def _follow(self, driver: str, socket: Path, version: str) -> None:
        from steersman.serving import remote_calls

        while True:
            try:
                await self._listen(driver, socket, version)
            except (remote_calls.CallFailed, FileNotFoundError) as failed:
                if isinstance(failed, remote_calls.CallFailed) and failed.code == "UNIMPLEMENTED":
                    return
                _log.info("health of devices of %s: %s", driver, failed)
            finally:
                self._told.pop(driver, None)
                self._changed()
            await self._clock.sleep(AGAIN_SECONDS)

    async def _listen(self, driver: str, socket: Path, version: str) -> None:
        """Until the stream ends. Raises CallFailed, FileNotFoundError."""
        from steersman.serving import remote_calls

        address = sockets.Address(socket)
        peer = remote_calls.Peer(address.text, _schema(version))
        try:
            async for answer in peer.follow(SERVICE, METHOD, {}):
                self._take(driver, answer.get("devices", []))
        finally:
            await peer.close()
            address.close()

    def _take(self, driver: str, devices: list[protobuf.Message]) -> None:
        """Those that are not named keep what was told of them, for as long as that holds."""
        now, known = self._clock.monotonic(), self._told.setdefault(driver, {})
        for one in devices:
            seconds = one.get("health_check_timeout_seconds", 0)
            until = now + (seconds if seconds > 0 else HOLDS_SECONDS)
            health, named = _WORDS.get(one.get("health", ""), UNKNOWN), one.get("device", {})
            place = named.get("pool_name", ""), named.get("device_name", "")
            known[place] = Told(health, _shortened(one.get("message", "")), until)
        self._changed()
        if driver in self._waiting:
            self._waiting.pop(driver).cancel()
        if known:
            self._waiting[driver] = self._tasks.start(f"end of what {driver} told", self._outlast(driver))

    async def _outlast(self, driver: str) -> None:
        """Tell each time that something holds no longer."""
        while ahead := [
            one.until for one in self._told.get(driver, {}).values() if one.until > self._clock.monotonic()
        ]:
            await self._clock.sleep(min(ahead) - self._clock.monotonic())
            self._changed()


def _shortened(message: str) -> str:
    return message if len(message) <= MESSAGE_MOST else f"{message[: MESSAGE_MOST - 3]}..."


@functools.cache
def _schema(version: str) -> protobuf.Schema:
    return protobuf.Schema(SCHEMA.read_text().replace("package v1;", f"package {version};"))
