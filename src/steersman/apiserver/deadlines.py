"""`?timeout=`: how long a request may take. Source: upstream's request deadline filter.

Requests that last by their nature (watches, connections to pods) have no deadline. Writes are not cut off: what they wait for has
limits of its own (webhooks, the store), and a client could not know what became of them.
"""

from collections.abc import Awaitable
from typing import TypeVar

from steersman.aio import clock as clocks
from steersman.apiserver import paths
from steersman.meta import errors, times
from steersman.serving import messages

MAX_SECONDS = 60.0  # upstream's --request-timeout: what is asked for beyond it is not given
_LONG = frozenset(("attach", "exec", "log", "portforward", "proxy"))

T = TypeVar("T")


def of(request: messages.Request, target: paths.Target, parameters: dict[str, list[str]]) -> float | None:
    """Seconds; None for no deadline of its own. Raises StatusError 400 for text that is no duration."""
    text = (parameters.get("timeout") or [""])[0]
    if not text or target.verb in ("watch", "connect") or target.subresource in _LONG:
        return None
    try:
        seconds = times.parse_duration(text) if text != "0" else 0.0
    except ValueError as wrong:
        why = f'time: invalid duration "{text}"'
        raise errors.bad_request(f"invalid timeout specified in the request URL - {why}") from wrong
    is_read = request.method in ("GET", "HEAD")
    return min(seconds, MAX_SECONDS) if seconds > 0 and is_read else None


async def within(clock: clocks.Clock, seconds: float, answer: Awaitable[T]) -> T:
    """Raises StatusError 504 when the time is over."""
    try:
        async with clock.timeout(seconds):
            return await answer
    except TimeoutError as over:
        raise errors.timed_out("Timeout: request did not complete within the allotted timeout", 0) from over
