"""Calls that hang hold up nobody."""

import asyncio
import threading

import pytest

from steersman.aio.patience import Patience


async def test_what_it_returns_and_raises():
    patience = Patience()
    assert await patience.wait("a", lambda: 42, 5) == 42
    with pytest.raises(ZeroDivisionError):
        await patience.wait("a", lambda: 1 // 0, 5)


async def test_a_call_that_hangs_is_waited_for_a_limited_time_and_not_begun_again():
    patience, goes_on, begun = Patience(), threading.Event(), []

    def hang() -> str:
        begun.append(1)
        goes_on.wait(30)
        return "done"

    for _ in range(3):
        with pytest.raises(TimeoutError):
            await patience.wait("hung", hang, 0.01)
    assert await patience.wait("other", lambda: "at once", 5) == "at once"
    waiting = asyncio.create_task(patience.wait("hung", hang, 5))
    await asyncio.sleep(0)
    goes_on.set()
    assert await waiting == "done"
    assert begun == [1]
    assert await patience.wait("hung", lambda: "anew", 5) == "anew"
