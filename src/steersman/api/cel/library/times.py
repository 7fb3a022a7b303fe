"""Parts of timestamps, in any time zone, and of durations. Source: the CEL specification, "Timestamps"."""

import datetime
import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from steersman.api.cel.functions import Functions, Overload, member
from steersman.api.cel.types import DURATION, INT, STRING, TIMESTAMP
from steersman.api.cel.values import NANOS, Duration, EvalError, Timestamp

_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII).fullmatch

_Part = Callable[[datetime.datetime], int]

_PARTS: dict[str, tuple[str, _Part]] = {
    "getFullYear": ("year", lambda at: at.year),
    "getMonth": ("month", lambda at: at.month - 1),
    "getDayOfYear": ("day_of_year", lambda at: at.timetuple().tm_yday - 1),
    "getDayOfMonth": ("day_of_month", lambda at: at.day - 1),
    "getDate": ("day_of_month_1_based", lambda at: at.day),
    "getDayOfWeek": ("day_of_week", lambda at: at.isoweekday() % 7),
    "getHours": ("hours", lambda at: at.hour),
    "getMinutes": ("minutes", lambda at: at.minute),
    "getSeconds": ("seconds", lambda at: at.second),
    "getMilliseconds": ("milliseconds", lambda at: at.microsecond // 1000),
}
_LENGTHS = {
    "getHours": ("hours", 3600 * NANOS),
    "getMinutes": ("minutes", 60 * NANOS),
    "getSeconds": ("seconds", NANOS),
    "getMilliseconds": ("milliseconds", 10**6),
}


def zone_of(name: str) -> datetime.tzinfo:
    """`Europe/Paris`, `UTC` or `-08:00`. Raises EvalError."""
    if ":" in name:
        found = _OFFSET(name)
        if found is None:
            raise EvalError(f"unknown time zone {name}")
        offset = datetime.timedelta(hours=int(found[2]), minutes=int(found[3]))
        if offset >= datetime.timedelta(days=1):
            raise EvalError(f"unknown time zone {name}")
        return datetime.timezone(-offset if found[1] == "-" else offset)
    if name in ("", "UTC"):
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise EvalError(f"unknown time zone {name}") from None


def _of_timestamp(part: _Part) -> tuple[Callable[[Timestamp], int], Callable[[Timestamp, str], int]]:
    return lambda value: part(value.at()), lambda value, zone: part(value.at(zone_of(zone)))


def _of_duration(unit: int) -> Callable[[Duration], int]:
    return lambda value: -(-value.nanos // unit) if value.nanos < 0 else value.nanos // unit


def _overloads(name: str) -> tuple[Overload, ...]:
    what, part = _PARTS[name]
    in_utc, in_zone = _of_timestamp(part)
    found: list[Any] = [
        member(f"timestamp_to_{what}", (TIMESTAMP,), INT, in_utc),
        member(f"timestamp_to_{what}_with_tz", (TIMESTAMP, STRING), INT, in_zone),
    ]
    if name in _LENGTHS:
        what, unit = _LENGTHS[name]
        found.append(member(f"duration_to_{what}", (DURATION,), INT, _of_duration(unit)))
    return tuple(found)


FUNCTIONS: Functions = {name: _overloads(name) for name in _PARTS}
