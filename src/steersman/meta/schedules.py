"""Schedules of CronJobs: five fields, or a descriptor such as `@hourly`; parse them, and ask for the next time.

Source of grammar, messages and of what happens at clock changes: robfig/cron v3 (`ParseStandard`), which upstream uses.
A time that a clock change leaves out is skipped, one that it repeats comes twice. Pure.
"""

import dataclasses
import datetime
import re
from collections.abc import Mapping

from steersman.meta import times

YEARS_MAX = (
    5  # how far a next time is looked for: the 29th of February comes at least every eight, upstream gives up here
)

_MINUTE = datetime.timedelta(minutes=1)
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_WEEKDAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}

# least, most, names
_FIELDS: tuple[tuple[int, int, Mapping[str, int]], ...] = (
    (0, 59, {}),  # minute
    (0, 23, {}),  # hour
    (1, 31, {}),  # day of month
    (1, 12, _MONTHS),
    (0, 6, _WEEKDAYS),
)

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_ZONE_PART = re.compile(r"[A-Za-z._0-9+-]{1,14}", re.ASCII).fullmatch


class ScheduleError(ValueError):
    """The text is no schedule; the message is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """`every_seconds` is set for `@every`, the sets for all others. `any_day` and `any_weekday`: the field is `*`, so the
    other one decides alone; otherwise either may."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = False
    any_weekday: bool = False
    every_seconds: float = 0.0
    zone: str = ""

    def next_after(self, at: datetime.datetime, zone: datetime.tzinfo = datetime.UTC) -> datetime.datetime | None:
        """The first time after `at`, in UTC; None when there is none within five years."""
        if self.every_seconds:
            return (at + datetime.timedelta(seconds=self.every_seconds)).replace(microsecond=0)
        if self.zone:
            zone = time_zone(self.zone)
        found = (at.astimezone(datetime.UTC) + _MINUTE).replace(second=0, microsecond=0)
        last_year = found.year + YEARS_MAX
        while found.year <= last_year:
            step = self._step(found.astimezone(zone))
            if step is None:
                return found
            found = step
        return None

    def _step(self, local: datetime.datetime) -> datetime.datetime | None:
        """None where `local` fits; else the next time worth a look, in UTC."""
        if local.month not in self.months:
            year, month = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
            return _midnight(datetime.date(year, month, 1), local)
        if not self._is_day(local):
            return _midnight(local.date() + datetime.timedelta(days=1), local)
        utc = local.astimezone(datetime.UTC)
        if local.hour not in self.hours:
            return utc + datetime.timedelta(minutes=60 - local.minute)
        if local.minute not in self.minutes:
            later = min((minute for minute in self.minutes if minute > local.minute), default=60)
            return utc + datetime.timedelta(minutes=later - local.minute)
        return None

    def _is_day(self, local: datetime.datetime) -> bool:
        by_day, by_weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday


def parse(text: str) -> Schedule:
    """Raises ScheduleError."""
    if not text:
        raise ScheduleError("empty spec string")
    zone = ""
    if text.startswith(("TZ=", "CRON_TZ=")):
        prefix, _, text = text.partition(" ")
        zone, text = prefix.partition("=")[2], text.strip()
        try:
            time_zone(zone)
        except ScheduleError as why:
            raise ScheduleError(f"provided bad location {zone}: {why}") from why
    if text.startswith("@"):
        return dataclasses.replace(_descriptor(text), zone=zone)
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    sets = [_values(part, *field) for part, field in zip(parts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = (values for values, _ in sets)
    return Schedule(minutes, hours, days, months, weekdays, any_day=sets[2][1], any_weekday=sets[4][1], zone=zone)


def time_zone(name: str) -> datetime.tzinfo:
    """An IANA time zone. Raises ScheduleError with upstream's message."""
    if name == "UTC":
        return datetime.UTC
    parts = name.split("/")
    if any(part in (".", "..") or part.startswith("-") or not _ZONE_PART(part) for part in parts):
        raise ScheduleError(f"unknown time zone {name}")
    import zoneinfo  # only where a zone is named: every process reads this module

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as why:
        raise ScheduleError(f"unknown time zone {name}") from why


def _descriptor(text: str) -> Schedule:
    if text in _DESCRIPTORS:
        return parse(_DESCRIPTORS[text])
    if text.startswith(_EVERY):
        try:
            seconds = times.parse_duration(text.removeprefix(_EVERY))
        except ValueError as why:
            quoted = text.removeprefix(_EVERY)
            raise ScheduleError(f'failed to parse duration {text}: time: invalid duration "{quoted}"') from why
        return Schedule(every_seconds=float(max(1, int(seconds))))
    raise ScheduleError(f"unrecognized descriptor: {text}")


def _values(text: str, least: int, most: int, words: Mapping[str, int]) -> tuple[frozenset[int], bool]:
    """The values of one field, and whether it is a star (with step 1)."""
    found: set[int] = set()
    is_star = False
    for part in (one for one in text.split(",") if one):
        values, star = _range(part, least, most, words)
        found |= values
        is_star |= star
    return frozenset(found), is_star


def _range(text: str, least: int, most: int, words: Mapping[str, int]) -> tuple[set[int], bool]:
    """`number`, `low-high`, `*`, each perhaps with `/step`; `low/step` runs to the end."""
    pieces = text.split("/")
    bounds = pieces[0].split("-")
    star = bounds[0] in ("*", "?")
    if star:
        low, high = least, most
    else:
        low = _number(bounds[0], words)
        if len(bounds) > 2:
            raise ScheduleError(f"too many hyphens: {text}")
        high = _number(bounds[1], words) if len(bounds) == 2 else low
    if len(pieces) > 2:
        raise ScheduleError(f"too many slashes: {text}")
    step = 1
    if len(pieces) == 2:
        step = _number(pieces[1], {})
        if len(bounds) == 1 and not star:
            high = most
        star = star and step <= 1
    if low < least:
        raise ScheduleError(f"beginning of range ({low}) below minimum ({least}): {text}")
    if high > most:
        raise ScheduleError(f"end of range ({high}) above maximum ({most}): {text}")
    if low > high:
        raise ScheduleError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return set(range(low, high + 1, step)), star


def _number(text: str, words: Mapping[str, int]) -> int:
    word = words.get(text.lower())
    if word is not None:
        return word
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number


def _midnight(day: datetime.date, local: datetime.datetime) -> datetime.datetime:
    """The beginning of a day; where a clock change leaves midnight out, the first moment that there is."""
    return datetime.datetime.combine(day, datetime.time(), local.tzinfo).astimezone(datetime.UTC)
