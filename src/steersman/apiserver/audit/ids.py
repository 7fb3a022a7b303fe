"""What a request is called, in answers and in what is written down of it: the header Audit-ID."""

import itertools

from steersman.aio.clock import Clock
from steersman.serving import messages

HEADER = "audit-id"
LENGTH_MAX = 64


class AuditIds:
    """The client's own, or one that nobody else has: a server's are alike but for their ends, for each costs time."""

    def __init__(self, clock: Clock) -> None:
        self._begin = clock.uid()[:24]
        self._numbers = itertools.count(1)

    def of(self, request: messages.Request) -> str:
        given = request.headers.get(HEADER)
        return given[:LENGTH_MAX] if given else f"{self._begin}{next(self._numbers):012x}"
