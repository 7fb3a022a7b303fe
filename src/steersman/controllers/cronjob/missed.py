"""Which start of a schedule is due: the latest that has not been started, however many were missed. Pure.

Source: upstream's mostRecentScheduleTime.
"""

import dataclasses
import datetime

from steersman.meta.schedules import Schedule

MISSED_MAX = 100  # above, the user is told to look at clocks and deadlines


class NeverStarts(ValueError):
    """The schedule is well formed but has no times that make sense."""


@dataclasses.dataclass(frozen=True, slots=True)
class Due:
    """`at`: the latest start that is due, if any. `missed`: about how many were. `next_at`: the one after now."""

    at: datetime.datetime | None
    missed: int
    next_at: datetime.datetime | None


def look(
    schedule: Schedule,
    zone: datetime.tzinfo,
    last: datetime.datetime,
    deadline_seconds: int | None,
    now: datetime.datetime,
) -> Due:
    """`last` is the latest start that was made, or the creation. Raises NeverStarts."""
    earliest = last
    if deadline_seconds is not None:
        earliest = max(last, now - datetime.timedelta(seconds=deadline_seconds))
    at, missed = _latest(schedule, zone, earliest, now)
    base = at or earliest
    next_at = schedule.next_after(base, zone)
    if next_at is not None and next_at <= now:
        next_at = schedule.next_after(now, zone)
    return Due(at, missed, next_at)


def _latest(
    schedule: Schedule, zone: datetime.tzinfo, earliest: datetime.datetime, now: datetime.datetime
) -> tuple[datetime.datetime | None, int]:
    first = schedule.next_after(earliest, zone)
    if first is None or first > now:
        return None, 0
    second = schedule.next_after(first, zone)
    if second is None or second > now:
        return first, 0
    between = round((second - first).total_seconds())
    if between < 1:
        raise NeverStarts("time difference between two schedules is less than 1 second")
    missed = int((now - first).total_seconds()) // between + 1
    if schedule.every_seconds:
        return first + datetime.timedelta(seconds=(missed - 1) * between), missed
    # Not one by one: after years of standing still there may be millions. Upstream looks back two steps only, and so
    # forgets starts of schedules that are not regular (the last one of a working day); here it is looked further back.
    window = datetime.timedelta(seconds=2 * between)
    while True:
        found = _last_before(schedule, zone, max(first, now - window), now)
        if found is not None or now - window <= first:
            return found or first, missed
        window *= 2


def _last_before(
    schedule: Schedule, zone: datetime.tzinfo, start: datetime.datetime, now: datetime.datetime
) -> datetime.datetime | None:
    """The latest in (start, now]."""
    found: datetime.datetime | None = None
    at = schedule.next_after(start, zone)
    while at is not None and at <= now:
        found = at
        at = schedule.next_after(at, zone)
    return found
