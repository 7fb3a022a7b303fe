"""The requests of a priority level that wait: dealt to queues by their flow, taken from them fairly. Pure.

Keeps true: a flow is dealt to the same few queues always, to the shortest of them; the queue that has had the least is served next.
Start-time fair queuing: a queue's next request starts, in virtual time, when its last one ended, or now if it had none.
Source: KEP-1040, shuffle sharding.
"""

import collections
import hashlib
from typing import Generic, TypeVar

Item = TypeVar("Item")

GUESS_SECONDS = 0.003  # upstream's, of a request's duration until it is known


class Queue(Generic[Item]):
    """`starts` is the virtual time, in seconds of service, at which its next request starts."""

    def __init__(self) -> None:
        self.items: collections.deque[Item] = collections.deque()
        self.executing = 0
        self.starts = 0.0

    def ended(self, seconds: float) -> None:
        """A request that was taken has run for so long."""
        self.executing -= 1
        self.starts += seconds - GUESS_SECONDS


class Queues(Generic[Item]):
    """`count` queues, each made when it is first dealt to."""

    def __init__(self, count: int, hand_size: int, length_limit: int) -> None:
        self.count = count
        self.hand_size = hand_size
        self.length_limit = length_limit
        self.waiting = 0
        self._queues: dict[int, Queue[Item]] = {}
        self._now = 0.0

    def add(self, flow: str, item: Item) -> Queue[Item] | None:
        """The queue that takes it; None when the shortest of its flow is full."""
        queue = min((self._queue(index) for index in deal(flow, self.count, self.hand_size)), key=_length)
        if len(queue.items) >= self.length_limit:
            return None
        if not queue.items and not queue.executing:
            queue.starts = max(queue.starts, self._now)
        queue.items.append(item)
        self.waiting += 1
        return queue

    def take(self) -> tuple[Item, Queue[Item]] | None:
        """The next to run."""
        queue = min((one for one in self._queues.values() if one.items), key=lambda one: one.starts, default=None)
        if queue is None:
            return None
        self.waiting -= 1
        self._now = queue.starts
        queue.starts += GUESS_SECONDS
        queue.executing += 1
        return queue.items.popleft(), queue

    def remove(self, queue: Queue[Item], item: Item) -> bool:
        """Whether it was still waiting."""
        try:
            queue.items.remove(item)
        except ValueError:
            return False
        self.waiting -= 1
        return True

    def _queue(self, index: int) -> Queue[Item]:
        queue = self._queues.get(index)
        if queue is None:
            queue = self._queues[index] = Queue()
        return queue


def deal(flow: str, deck: int, hand: int) -> list[int]:
    """`hand` different ones of `deck` queues, always the same for a flow."""
    number = int.from_bytes(hashlib.blake2b(flow.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    dealt: list[int] = []
    for count in range(min(hand, deck)):
        number, card = divmod(number, deck - count)
        for earlier in sorted(dealt):
            card += card >= earlier
        dealt.append(card)
    return dealt


def _length(queue: Queue[Item]) -> int:
    return len(queue.items) + queue.executing
