"""Which revision was the newest one at a moment.

A moment is a revision (`1234`), a time (RFC 3339) or so long ago (`10m`, `1h30m-ago`). Revisions follow each other without gaps and
each is kept with the time of its write, so the revision of a time is found by halving.
"""

import datetime

from steersman.apiserver.call import Moment
from steersman.meta import errors, times
from steersman.store import contract


async def of(store: contract.Store, text: str, now: datetime.datetime) -> Moment:
    """Raises StatusError 400 for what is no moment, 410 for one that is older than the store's history."""
    if text.isascii() and text.isdigit():
        revision = _kept(store, int(text[:18]))
        written = await _written_at(store, revision, store.compacted_revision)
        return Moment(revision, times.parse(written) if written else now)
    time = _time_of(text, now)
    return Moment(await _newest_at(store, times.format_micros(time)), time)


async def _newest_at(store: contract.Store, time: str) -> int:
    first, last = store.compacted_revision, store.revision
    began = await _written_at(store, first, first)
    if time < began:
        raise errors.expired(f"the history that is kept begins at {began}, revision {first}")
    while first < last:
        middle = (first + last + 1) // 2
        if await _written_at(store, middle, first) <= time:
            first = middle
        else:
            last = middle - 1
    return first


def _kept(store: contract.Store, revision: int) -> int:
    if revision < store.compacted_revision:
        raise errors.expired(f"the history that is kept begins at revision {store.compacted_revision}")
    if revision > store.revision:
        raise errors.bad_request(f"revision {revision} has not happened yet, the newest is {store.revision}")
    return revision


def _time_of(text: str, now: datetime.datetime) -> datetime.datetime:
    try:
        if "T" in text.upper():
            return times.parse(text)
        return now - datetime.timedelta(seconds=times.parse_duration(text.removesuffix("-ago")))
    except (ValueError, OverflowError):
        why = f'"{text}" is no moment: give a time (2026-01-02T15:04:05Z), so long ago (10m-ago) or a revision'
        raise errors.bad_request(why) from None


async def _written_at(store: contract.Store, revision: int, first: int) -> str:
    """When it was written, in RFC 3339 with microseconds; of a write that nobody timed, when the one before it was. "" is ever."""
    for earlier in range(revision, max(0, first - 1), -1):
        cause = await store.cause(earlier)
        if cause is not None and cause.at:
            return cause.at
    return ""
