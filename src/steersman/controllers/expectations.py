"""What each key has written and its caches have not shown yet: until they do, the key is not decided again.

So a stale cache never makes a controller create or delete twice. The store has one revision counter, so a write of
revision R is seen as soon as the cache of its kind has reached R; a deletion is seen when the object is gone,
terminating or another one. No counting (as client-go does), so nothing can be miscounted.
"""

import dataclasses
import heapq
import logging
from collections.abc import Callable

from steersman.aio.clock import Clock
from steersman.client.cache import Cache
from steersman.meta import objects
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# client-go waits 5 minutes for a watch that lost an event; ours cannot lose one, so this only bounds a stuck cache.
WAIT_SECONDS_MAX = 60.0


@dataclasses.dataclass(slots=True, eq=False)
class _Expected:
    """`revisions`: cache → revision it must reach; `deletions`: (cache, key, uid) that must go."""

    since: float
    revisions: dict[Cache, int]
    deletions: list[tuple[Cache, str, str]]


class Expectations:
    """`wake(key)` is called when a key that was postponed may be looked at again."""

    def __init__(self, wake: Callable[[str], None], clock: Clock) -> None:
        self._wake = wake
        self._clock = clock
        self._expected: dict[str, _Expected] = {}
        self._on_revision: dict[Cache, list[tuple[int, str]]] = {}
        self._on_deletion: dict[tuple[Cache, str], str] = {}

    def written(self, key: str, cache: Cache, obj: Object) -> None:
        """`key` wrote `obj`, as the server answered it."""
        revisions = self._of(key).revisions
        revisions[cache] = max(revisions.get(cache, 0), objects.revision(obj))

    def deleted(self, key: str, cache: Cache, object_key: str, uid: str) -> None:
        self._of(key).deletions.append((cache, object_key, uid))

    def postpone(self, key: str) -> bool:
        """Whether the key must wait; it is woken when what it waits for has come."""
        expected = self._expected.get(key)
        if expected is None:
            return False
        if self._wait_for_revision(key, expected) or self._wait_for_deletion(key, expected):
            if self._clock.monotonic() - expected.since <= WAIT_SECONDS_MAX:
                return True
            _log.warning("%s: its own writes did not come back within %.0f s", key, WAIT_SECONDS_MAX)
        del self._expected[key]
        return False

    def saw(self, cache: Cache, old: Object | None, new: Object | None) -> None:
        """A cache has moved on: wake who waited for that."""
        waiting = self._on_revision.get(cache)
        if waiting:
            reached = objects.revision(new) if new is not None else cache.revision
            while waiting and waiting[0][0] <= reached:
                self._wake(heapq.heappop(waiting)[1])
        if self._on_deletion:
            key = self._on_deletion.pop((cache, objects.key(new or old or {})), None)
            if key is not None:
                self._wake(key)

    def forget(self, key: str) -> None:
        self._expected.pop(key, None)

    def __len__(self) -> int:
        return len(self._expected)

    def _of(self, key: str) -> _Expected:
        expected = self._expected.get(key)
        if expected is None:
            expected = self._expected[key] = _Expected(self._clock.monotonic(), {}, [])
        return expected

    def _wait_for_revision(self, key: str, expected: _Expected) -> bool:
        for cache, revision in expected.revisions.items():
            if cache.revision < revision:
                heapq.heappush(self._on_revision.setdefault(cache, []), (revision, key))
                return True
        return False

    def _wait_for_deletion(self, key: str, expected: _Expected) -> bool:
        while expected.deletions:
            cache, object_key, uid = expected.deletions[-1]
            found = cache.get(object_key)
            if found is not None and objects.uid(found) == uid and not objects.is_terminating(found):
                self._on_deletion[cache, object_key] = key
                return True
            expected.deletions.pop()
        return False
