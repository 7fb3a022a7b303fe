"""How many volumes a driver takes may change while it runs; it says in its CSIDriver how often to ask
(`nodeAllocatableUpdatePeriodSeconds`). Source: KEP-4876.

Reads: CSIDriver, NodeGetInfo.  Leaves to others: telling it (CSINode, `registration`).
"""

import logging
from collections.abc import Awaitable, Callable

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.client import Client, Unreachable
from steersman.csi.driver import DriverError
from steersman.kubelet.csi.drivers import Drivers
from steersman.meta.errors import StatusError
from steersman.serving import protobuf

_log = logging.getLogger(__name__)

PERIOD_SECONDS_MIN = 10.0  # the shortest that a CSIDriver may say, so how often it is read

Show = Callable[[str, protobuf.Message], Awaitable[None]]


class VolumeCounts:
    """`show(driver, what NodeGetInfo said)`."""

    def __init__(self, drivers: Drivers, client: Client, clock: Clock, show: Show) -> None:
        self._drivers = drivers
        self._client = client
        self._clock = clock
        self._show = show
        self._asked: dict[str, float] = {}  # driver → when
        self._next_look = 0.0

    async def look(self) -> None:
        now = self._clock.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + PERIOD_SECONDS_MIN
        self._asked = {name: self._asked.get(name, now) for name in self._drivers.names()}
        for name in list(self._asked):
            try:
                await self._ask(name, now)
            except (DriverError, StatusError, Unreachable) as failure:
                _log.warning("driver %s does not say how many volumes it takes now: %s", name, failure)

    async def _ask(self, name: str, now: float) -> None:
        period, driver = await self._period_seconds(name), self._drivers.get(name)
        if period is not None and driver is not None and now - self._asked[name] >= period:
            self._asked[name] = now
            await self._show(name, await driver.call("Node", "NodeGetInfo"))

    async def _period_seconds(self, name: str) -> float | None:
        try:
            about = await self._client.get(kinds.CSI_DRIVER, name)
        except StatusError as refused:
            if refused.code != 404:
                raise
            return None
        found = (about.get("spec") or {}).get("nodeAllocatableUpdatePeriodSeconds")
        return None if found is None else float(found)
