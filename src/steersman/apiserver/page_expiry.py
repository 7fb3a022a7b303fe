"""How long a list may be read page by page: five to ten minutes, then its continue tokens are refused with 410.

Keeps true: what upstream's compaction of etcd every five minutes means to clients. Our stores remember longer, for who looks
back (`contract.Store.list` at a revision); a list that stays open for ever would hide a client's mistake that upstream shows.
Source: storagebackend.DefaultCompactInterval.
"""

from steersman.aio import clock as clocks
from steersman.store import contract

INTERVAL_SECONDS = 300.0


class PageExpiry:
    """Tokens of revisions before `forgotten` are too old."""

    def __init__(self, store: contract.Store, clock: clocks.Clock) -> None:
        self._store = store
        self._clock = clock
        self.forgotten = 0

    async def run(self) -> None:
        """Until cancelled."""
        mark = self._store.revision
        while True:
            await self._clock.sleep(INTERVAL_SECONDS)
            self.forgotten, mark = mark, self._store.revision
