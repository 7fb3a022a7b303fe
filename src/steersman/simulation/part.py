"""A part that can crash in the middle of anything and start anew.

Keeps true: a crashed incarnation sends nothing more; the next one starts only when the last one is gone; whoever ends without
having been crashed is a bug (`ended_by_itself`).
"""

import asyncio
from collections.abc import Awaitable, Callable

from steersman.aio.clock import VirtualClock
from steersman.client.client import Client
from steersman.simulation.network import Link, Network

# A part that does not end so long after it was cancelled hangs.
END_SECONDS_MAX = 60.0

Life = Callable[["Incarnation"], Awaitable[None]]


class Incarnation:
    """One run of a part: its own clock and its own ways to the API server, which die with it."""

    def __init__(self, part: "Part", number: int) -> None:
        loop = asyncio.get_running_loop()
        self.clock = VirtualClock(loop, f"{part.seed}/{part.name}/{number}")
        self.clock.skew_seconds = part.skew_seconds
        self.number = number
        self._part = part
        self._links: list[Link] = []

    def client(self, user: str, groups: tuple[str, ...] = ()) -> Client:
        part = self._part
        link = Link(part.network, part.name, user, groups, part.step)
        self._links.append(link)
        return Client(link, user_agent=part.name, clock=self.clock, loads=part.network.parsing.loads)

    def die(self) -> None:
        for link in self._links:
            link.is_dead = True


class Part:
    """`live(incarnation)` runs until cancelled."""

    def __init__(self, name: str, seed: int, network: Network, live: Life, failed: Callable[[str], None]) -> None:
        self.name = name
        self.seed = seed
        self.network = network
        self.skew_seconds = 0.0
        self.is_up = False
        self._live = live
        self._failed = failed
        self._born = 0
        self._incarnation: Incarnation | None = None
        self._task: asyncio.Task[None] | None = None
        self._crash_in_messages: int | None = None
        self._down_seconds: float | None = None

    async def run(self) -> None:
        """Live again and again."""
        clock = self.network.clock
        try:
            while True:
                self._born += 1
                self._down_seconds = None
                self._crash_in_messages = None
                incarnation = self._incarnation = Incarnation(self, self._born)
                self._task = asyncio.ensure_future(self._live(incarnation))
                self.is_up = True
                await asyncio.wait([self._task])
                self.is_up = False
                incarnation.die()
                if self._down_seconds is None:
                    self._failed(f"{self.name} ended by itself: {_why(self._task)!r}")
                    self._down_seconds = 1.0
                await clock.sleep(self._down_seconds)
        finally:
            await self._end()

    def skew(self, seconds: float) -> None:
        self.skew_seconds = seconds
        if self._incarnation is not None:
            self._incarnation.clock.skew_seconds = seconds

    def crash(self, down_seconds: float) -> None:
        """Now; it starts again after so long."""
        if not self.is_up or self._down_seconds is not None:
            return
        self._down_seconds = down_seconds
        self._crash_in_messages = None
        assert self._incarnation is not None
        assert self._task is not None
        self._incarnation.die()
        self._task.cancel()

    def crash_soon(self, messages: int, down_seconds: float) -> None:
        """At the so-many-th message from now."""
        self._crash_in_messages = messages
        self._armed_down_seconds = down_seconds

    def crash_if_armed(self) -> None:
        """It sent too little."""
        if self._crash_in_messages is not None:
            self.crash(self._armed_down_seconds)

    def step(self) -> None:
        """A message of this part."""
        if self._crash_in_messages is None:
            return
        self._crash_in_messages -= 1
        if self._crash_in_messages < 0:
            self.crash(self._armed_down_seconds)

    async def _end(self) -> None:
        if self._incarnation is not None:
            self._incarnation.die()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            done, _ = await asyncio.wait([self._task], timeout=END_SECONDS_MAX)
            if not done:
                self._failed(f"{self.name} does not end")


def _why(task: "asyncio.Task[None]") -> BaseException | None:
    return None if task.cancelled() else task.exception()
