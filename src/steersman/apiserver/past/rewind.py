"""Brings the cluster's objects back to what they were: decides, deletes, writes, and looks again.

Each round deletes what was not there then and writes what was, up to 100 objects in a transaction; the next one sees what others
wrote meanwhile, and whether what had to go first is gone. A key is written once: from then on it belongs to its controllers again.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence

from steersman.aio.clock import Clock
from steersman.apiserver.past import rewinding
from steersman.apiserver.past.rewinding import Fresh, Unwanted
from steersman.meta import times
from steersman.store import contract
from steersman.store.contract import Cause, Put

GOING_SECONDS_MAX = 40.0  # what stands in the way may end within its grace period
ROUND_SECONDS = 0.1

# Deletes an object as a user would.
Delete = Callable[[Unwanted], Awaitable[None]]


@dataclasses.dataclass(slots=True)
class Outcome:
    """Keys written back; what was not there then and is deleted; keys where something else stands still."""

    restored: Sequence[str]
    deleted: Sequence[Unwanted]
    taken: Sequence[str]


async def plan(store: contract.Store, clock: Clock, revision: int) -> Outcome:
    """What a rewind would begin with. Raises Compacted."""
    found = rewinding.decide(await store.changes("", revision), (), _fresh(clock))
    return Outcome([put.key for put in found.puts], found.unwanted, found.taken)


async def run(store: contract.Store, clock: Clock, revision: int, delete: Delete, cause: Cause) -> Outcome:
    """Raises Compacted; StatusError where something may not be deleted."""
    restored: dict[str, None] = {}
    deleted: dict[str, Unwanted] = {}
    until = clock.monotonic() + GOING_SECONDS_MAX
    while True:
        found = rewinding.decide(await store.changes("", revision), restored, _fresh(clock))
        fresh = [one for one in found.unwanted if one.uid not in deleted]
        is_done = not (found.puts or fresh or found.taken)
        if is_done or clock.monotonic() > until:
            return Outcome([*restored], [*deleted.values()], [put.key for put in found.puts] + [*found.taken])
        for one in fresh:
            await delete(one)
            deleted[one.uid] = one
        for start in range(0, len(found.puts), contract.OPERATIONS_MAX):
            batch = found.puts[start : start + contract.OPERATIONS_MAX]
            if await _write(store, batch, cause):
                restored |= dict.fromkeys(put.key for put in batch)
        await clock.sleep(ROUND_SECONDS)


async def _write(store: contract.Store, puts: Sequence[Put], cause: Cause) -> bool:
    """False: somebody was faster, and it must be decided again."""
    try:
        await store.txn(puts, cause)
    except contract.Mismatch:
        return False
    return True


def _fresh(clock: Clock) -> Fresh:
    return Fresh(clock.uid, times.format_seconds(clock.now()))
