import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.meta import times

UTC = datetime.UTC

DURATIONS = {
    -2: "<invalid>", -1: "0s", 0: "0s", 1: "1s", 119: "119s", 120: "2m", 121: "2m1s", 599: "9m59s", 600: "10m",
    10799: "179m", 10800: "3h", 10860: "3h1m", 28799: "7h59m", 28800: "8h", 172799: "47h", 172800: "2d",
    176400: "2d1h", 691199: "7d23h", 691200: "8d", 86400 * 729: "729d", 86400 * 730: "2y", 86400 * 731: "2y1d",
    86400 * 365 * 8: "8y",
}  # fmt: skip


@pytest.mark.parametrize(("seconds", "text"), DURATIONS.items(), ids=[str(one) for one in DURATIONS])
def test_ages_as_kubectl_shows_them(seconds, text):
    assert times.human_duration(seconds) == text


def test_age_of_nothing_is_unknown():
    now = datetime.datetime(2026, 1, 1, tzinfo=UTC)
    assert times.age(None, now) == "<unknown>"
    assert times.age("2025-12-31T23:55:00Z", now) == "5m"


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("2026-01-01T00:00:00Z", datetime.datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T01:00:00+01:00", datetime.datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00.123456789Z", datetime.datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        ("2026-01-01t00:00:00.5z", datetime.datetime(2026, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
    ],
)
def test_parse(text, expect):
    assert times.parse(text) == expect


@pytest.mark.parametrize("text", ["", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01 00:00:00Z", "now"])
def test_refuses(text):
    with pytest.raises(ValueError):  # noqa: PT011
        times.parse(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_round_trips(at):
    assert times.parse(times.format_micros(at)) == at
    assert times.parse(times.format_seconds(at)) == at.replace(microsecond=0)


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("300ms", 0.3), ("0", 0), ("-2m", -120), ("1.5s", 1.5)])
def test_go_durations(text, seconds):
    assert times.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.012, "12ms"),
        (0.0125, "12.5ms"),
        (0.0000015, "1.5µs"),
        (1.2, "1.2s"),
        (39.356, "39.356s"),
        (60, "1m0s"),
        (62.345, "1m2.345s"),
        (300, "5m0s"),
        (3600, "1h0m0s"),
        (7265.5, "2h1m5.5s"),
    ],
)
def test_durations_told(seconds: float, text: str) -> None:
    assert times.format_duration(seconds) == text
    assert times.parse_duration(text) == pytest.approx(seconds)
