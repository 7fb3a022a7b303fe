import datetime

import pytest

from steersman.meta import schedules, times

START = "2026-02-27T23:30:30Z"

NEXT = {
    "every minute": ("* * * * *", "2026-02-27T23:31:00Z"),
    "the minute itself is over": ("30 23 * * *", "2026-02-28T23:30:00Z"),
    "hourly": ("@hourly", "2026-02-28T00:00:00Z"),
    "daily": ("@daily", "2026-02-28T00:00:00Z"),
    "midnight": ("@midnight", "2026-02-28T00:00:00Z"),
    "weekly is on Sunday": ("@weekly", "2026-03-01T00:00:00Z"),
    "monthly": ("@monthly", "2026-03-01T00:00:00Z"),
    "yearly": ("@yearly", "2027-01-01T00:00:00Z"),
    "annually": ("@annually", "2027-01-01T00:00:00Z"),
    "every duration": ("@every 1h30m", "2026-02-28T01:00:30Z"),
    "steps": ("*/20 * * * *", "2026-02-27T23:40:00Z"),
    "steps from a number": ("5/20 * * * *", "2026-02-27T23:45:00Z"),
    "steps in a range": ("0-40/25 * * * *", "2026-02-28T00:00:00Z"),
    "lists": ("1,31 23 * * *", "2026-02-27T23:31:00Z"),
    "names of months": ("0 0 1 APR *", "2026-04-01T00:00:00Z"),
    "names of days": ("0 6 * * mon-fri", "2026-03-02T06:00:00Z"),
    "day of month or weekday": ("0 0 13 * 5", "2026-03-06T00:00:00Z"),
    "a star with a step is no star": ("0 0 */10 * 5", "2026-03-01T00:00:00Z"),
    "question mark": ("0 0 ? * 2", "2026-03-03T00:00:00Z"),
    "leap day": ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
    "month without that day": ("0 0 31 * *", "2026-03-31T00:00:00Z"),
    "zone in the text": ("CRON_TZ=Asia/Tokyo 0 9 * * *", "2026-02-28T00:00:00Z"),
}


@pytest.mark.parametrize(("text", "expect"), NEXT.values(), ids=NEXT.keys())
def test_next(text, expect):
    found = schedules.parse(text).next_after(times.parse(START))
    assert found is not None
    assert times.format_seconds(found) == expect


def test_a_day_that_never_comes():
    assert schedules.parse("0 0 30 2 *").next_after(times.parse(START)) is None


# New York puts its clocks forward on 8 March 2026 (02:00 → 03:00) and back on 1 November (02:00 → 01:00).
CHANGES = {
    "a time left out is skipped": ("30 2 * * *", "2026-03-08T05:00:00Z", ["2026-03-09T06:30:00Z"]),
    "the hour after comes": ("30 3 * * *", "2026-03-08T05:00:00Z", ["2026-03-08T07:30:00Z"]),
    "a time repeated comes twice": (
        "30 1 * * *", "2026-11-01T04:00:00Z", ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"],
    ),
    "every hour goes on": (
        "0 * * * *", "2026-03-08T06:30:00Z", ["2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "start", "expect"), CHANGES.values(), ids=CHANGES.keys())
def test_clock_changes(text, start, expect):
    zone = schedules.time_zone("America/New_York")
    found: list[str] = []
    for _ in expect:
        at = schedules.parse(text).next_after(times.parse(found[-1] if found else start), zone)
        assert at is not None
        found.append(times.format_seconds(at))
    assert found == expect


def test_a_midnight_that_is_left_out():
    # Beirut goes from 00:00 to 01:00 on 29 March 2026.
    at = datetime.datetime(2026, 3, 28, 12, tzinfo=datetime.UTC)
    found = schedules.parse("0 1 * * *").next_after(at, schedules.time_zone("Asia/Beirut"))
    assert found == datetime.datetime(2026, 3, 28, 22, tzinfo=datetime.UTC)


WRONG = {
    "empty": ("", "empty spec string"),
    "four fields": ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
    "six fields": ("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
    "word": ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
    "above": ("60 * * * *", "end of range (60) above maximum (59): 60"),
    "below": ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
    "backwards": ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
    "no step": ("*/0 * * * *", "step of range should be a positive number: */0"),
    "slashes": ("*/1/2 * * * *", "too many slashes: */1/2"),
    "hyphens": ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
    "Sunday is 0": ("* * * * 7", "end of range (7) above maximum (6): 7"),
    "descriptor": ("@often", "unrecognized descriptor: @often"),
    "duration": ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
    "zone": ("TZ=Mars/Base 0 0 * * *", "provided bad location Mars/Base: unknown time zone Mars/Base"),
}


@pytest.mark.parametrize(("text", "expect"), WRONG.values(), ids=WRONG.keys())
def test_wrong(text, expect):
    with pytest.raises(schedules.ScheduleError) as why:
        schedules.parse(text)
    assert str(why.value) == expect


@pytest.mark.parametrize("name", ["Mars/Base", "../etc/passwd", "Europe/", "-x", "", "Europe/Berlin\n"])
def test_no_time_zone(name):
    with pytest.raises(schedules.ScheduleError, match="unknown time zone"):
        schedules.time_zone(name)
