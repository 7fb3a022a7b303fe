"""A priority level at work: so many requests run, the others wait their turn or are refused.

Seats are counted in `executing`; whoever takes and gives them in the common case, when nobody waits, does so without asking
(`flows.Flow`).
"""

import asyncio
import dataclasses

from steersman.aio.clock import Clock
from steersman.apiserver.flowcontrol import queues
from steersman.apiserver.flowcontrol.shares import Seats
from steersman.meta.objects import Object

WAIT_SECONDS_MAX = 15.0  # upstream's: a quarter of what a request may take


class Rejected(Exception):
    """`reason` is upstream's word in metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclasses.dataclass(slots=True, eq=False)
class Ticket:
    """One request that waits, then the queue it came from and when it began."""

    turn: asyncio.Future[None]
    queue: "queues.Queue[Ticket] | None" = None
    began: float = 0.0


class Level:
    """`limit` is the current number of seats; an exempt level has no limit."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.uid = ""
        self.seats = Seats(0, 0, 0)
        self.limit = 0
        self.is_exempt = False
        self.executing = 0
        self.waiting = 0
        self.demand = 0  # the most that ran and waited at one time since the last allocation
        self._clock = clock
        self._queues: queues.Queues[Ticket] | None = None
        self._spec: Object = {}

    def configure(self, obj: Object, seats: Seats) -> None:
        """Take over a configuration. Those that wait keep their place unless the queues are others now."""
        spec = obj["spec"]
        self.uid, self.seats = str(obj["metadata"].get("uid", "")), seats
        self.is_exempt = spec["type"] == "Exempt"
        self.limit = seats.nominal
        if spec == self._spec:
            return
        self._spec = spec
        waiting = self._take_all()
        queuing = ((spec.get("limited") or {}).get("limitResponse") or {}).get("queuing")
        self._queues = None
        if queuing is not None:
            self._queues = queues.Queues(queuing["queues"], queuing["handSize"], queuing["queueLengthLimit"])
        for ticket in waiting:
            self._grant(ticket, None)

    def set_limit(self, limit: int) -> None:
        self.limit = limit
        self._next()

    async def wait(self, flow: str) -> Ticket:
        """A seat when it is this flow's turn. Raises Rejected."""
        if self._queues is None:
            raise Rejected("concurrency-limit")
        ticket = Ticket(asyncio.get_running_loop().create_future())
        kept = self._queues
        ticket.queue = kept.add(flow, ticket)
        if ticket.queue is None:
            raise Rejected("queue-full")
        self.waiting += 1
        self.demand = max(self.demand, self.executing + self.waiting)
        self._next()
        try:
            async with self._clock.timeout(WAIT_SECONDS_MAX):
                await ticket.turn
        except TimeoutError as late:
            if self._leave(kept, ticket):
                raise Rejected("time-out") from late
        except BaseException:
            if not self._leave(kept, ticket):
                self.executing -= 1
                self.ended(ticket)
            raise
        return ticket

    def ended(self, ticket: Ticket | None) -> None:
        """A request has ended and its seat is free: who is next?"""
        if ticket is not None and ticket.queue is not None:
            ticket.queue.ended(self._clock.monotonic() - ticket.began)
        self._next()

    def _leave(self, kept: "queues.Queues[Ticket]", ticket: Ticket) -> bool:
        """Whether it was still waiting; if not, it has got its seat."""
        left = ticket.queue is not None and kept.remove(ticket.queue, ticket)
        self.waiting -= left
        return left

    def _next(self) -> None:
        while self._queues is not None and (self.executing < self.limit or self.is_exempt):
            found = self._queues.take()
            if found is None:
                return
            self._grant(*found)

    def _grant(self, ticket: Ticket, queue: "queues.Queue[Ticket] | None") -> None:
        self.executing += 1
        self.waiting -= 1
        ticket.queue, ticket.began = queue, self._clock.monotonic()
        if not ticket.turn.done():
            ticket.turn.set_result(None)

    def _take_all(self) -> list[Ticket]:
        found = []
        while self._queues is not None and (one := self._queues.take()) is not None:
            found.append(one[0])
        return found
