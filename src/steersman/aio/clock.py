"""The only source of time, randomness and identifiers.

Every part receives a `Clock` and asks it; no other module reads `time`, `datetime.now`, `random`, `secrets` or `uuid`
(a test proves it). So a whole cluster can run under virtual time from a seed.

Timers belong to the event loop, so `VirtualClock` needs a `VirtualLoop`: `sleep` and `timeout` then cost no real time.
"""

import asyncio
import contextlib
import datetime
import random
import time
from typing import Protocol

# Letters Kubernetes uses for generated name suffixes: no vowels (no words by accident), no 0/1/3 (misread).
# Source: apimachinery's util/rand.
SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class Chance(random.Random):
    """A stream of chance of its own for each name: what one draws does not change what another gets."""

    def __init__(self, *name: str | int) -> None:
        super().__init__("/".join(map(str, name)))  # seeded by the text's own hash, the same in every process


class Clock(Protocol):
    """What a part may ask about time and chance."""

    def now(self) -> datetime.datetime:
        """Wall time, UTC, with microseconds."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait; 0 lets other tasks run."""

    def timeout(self, seconds: float) -> contextlib.AbstractAsyncContextManager[object]:
        """`async with clock.timeout(5):` raises TimeoutError when the block takes longer."""

    def uid(self) -> str:
        """A new object uid (RFC 4122 text form)."""

    def suffix(self, length: int = 5) -> str:
        """Random letters for `generateName`."""

    def jitter(self, seconds: float, factor: float = 0.1) -> float:
        """`seconds` lengthened by a random share of up to `factor`."""


class _AsyncioTimers:
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> contextlib.AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds)


def _uuid4(bits: int) -> str:
    """`str(uuid.UUID(int=bits, version=4))` in a quarter of its time: every new object has one."""
    bits = bits & ~(0xF000 << 64 | 0xC000 << 48) | 4 << 76 | 0x8000 << 48
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class SystemClock(_AsyncioTimers):
    """Real time and real chance."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def uid(self) -> str:
        return _uuid4(self._random.getrandbits(128))

    def suffix(self, length: int = 5) -> str:
        return "".join(self._random.choices(SUFFIX_LETTERS, k=length))

    def jitter(self, seconds: float, factor: float = 0.1) -> float:
        return seconds * (1 + self._random.random() * factor)

    def pause(self, seconds: float) -> None:
        """Block the thread: for command lines and supervisors, never inside an event loop."""
        time.sleep(seconds)


class VirtualClock(_AsyncioTimers):
    """Time of a `VirtualLoop`, chance from a seed.

    Wall time is `start` plus the loop's own time: the same seed and the same program give the same bytes. A machine whose
    wall clock is wrong has a `skew_seconds`, which may change at any time; monotonic time is always right.
    """

    START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int | str = 0, start: datetime.datetime = START) -> None:
        self.skew_seconds = 0.0
        self._loop = loop
        self._random = random.Random(seed)
        self._start = start
        self._now = 0.0, start

    def now(self) -> datetime.datetime:
        seconds = self._loop.time() + self.skew_seconds
        if seconds != self._now[0]:  # much happens at one moment
            self._now = seconds, self._start + datetime.timedelta(seconds=seconds)
        return self._now[1]

    def monotonic(self) -> float:
        return self._loop.time()

    def uid(self) -> str:
        return _uuid4(self._random.getrandbits(128))

    def suffix(self, length: int = 5) -> str:
        return "".join(self._random.choices(SUFFIX_LETTERS, k=length))

    def jitter(self, seconds: float, factor: float = 0.1) -> float:
        return seconds * (1 + self._random.random() * factor)
