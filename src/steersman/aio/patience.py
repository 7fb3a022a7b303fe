"""Calls that may never come back: to a file system whose server stands still. Each runs in a thread of its own, so that neither the
event loop nor the pool of threads waits for it; whoever asks waits a limited time.

What is asked again while it still hangs is not begun again: there is never more than one thread for a key.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Patience:
    def __init__(self) -> None:
        self._hanging: dict[Hashable, asyncio.Future[Any]] = {}

    async def wait(self, key: Hashable, work: Callable[[], Answer], seconds: float) -> Answer:
        """Whatever `work` returns or raises. Raises TimeoutError after `seconds`; the call itself goes on."""
        answer = self._hanging.get(key)
        if answer is None:
            answer = self._hanging[key] = _begin(work)
            answer.add_done_callback(lambda done: self._forget(key, done))
        found: Answer = await asyncio.wait_for(asyncio.shield(answer), seconds)
        return found

    def _forget(self, key: Hashable, done: "asyncio.Future[Any]") -> None:
        del self._hanging[key]
        if not done.cancelled():
            done.exception()  # perhaps nobody waits for it any more


def _begin(work: Callable[[], Any]) -> "asyncio.Future[Any]":
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def run() -> None:
        try:
            found = work()
        except BaseException as failed:
            tell(answer.set_exception, failed)
        else:
            tell(answer.set_result, found)

    def tell(how: Callable[[Any], None], what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_once, answer, how, what)

    threading.Thread(target=run, daemon=True, name="patience").start()
    return answer


def _once(answer: "asyncio.Future[Any]", how: Callable[[Any], None], what: object) -> None:
    if not answer.done():
        how(what)
