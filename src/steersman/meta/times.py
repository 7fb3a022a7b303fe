"""Timestamps as Kubernetes writes them, and durations as kubectl shows them.

`Time` has whole seconds (`2026-01-01T00:00:00Z`), `MicroTime` six decimals. All times are UTC.
"""

import datetime
import re

UNKNOWN = "<unknown>"

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII).fullmatch
_GO_DURATION = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+|0", re.ASCII).fullmatch
_GO_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def format_seconds(at: datetime.datetime) -> str:
    """`Time` on the wire: whole seconds."""
    return _utc(at).isoformat()[:19] + "Z"  # several times faster than strftime


def format_micros(at: datetime.datetime) -> str:
    """`MicroTime` on the wire: six decimals."""
    return _utc(at).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse(text: str) -> datetime.datetime:
    """Any RFC 3339 time, as UTC. Raises ValueError."""
    if not _RFC3339(text):
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    return _utc(datetime.datetime.fromisoformat(_at_most_micros(text.upper())))


def seconds_since(text: str, now: datetime.datetime) -> float:
    return (now - parse(text)).total_seconds()


def age(text: str | None, now: datetime.datetime) -> str:
    """What the AGE column shows for a timestamp."""
    return human_duration(seconds_since(text, now)) if text else UNKNOWN


def human_duration(seconds: float) -> str:
    """kubectl's way: two units while the first is small (`5m30s`, `3h12m`, `2d4h`), then one.

    Source: apimachinery's util/duration. Up to one second in the future is tolerated, for clocks that differ.
    """
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole == -1 else "<invalid>"
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def parse_duration(text: str) -> float:
    """Seconds of a Go duration (`1h30m`, `300ms`). Raises ValueError."""
    if not _GO_DURATION(text):
        raise ValueError(f"not a duration: {text!r}")
    total = sum(float(number) * _SECONDS[unit] for number, unit in _GO_DURATION_PART.findall(text))
    return -total if text.startswith("-") else total


def format_duration(seconds: float) -> str:
    """Go's way, whose parts are as long as they have to be: 12ms, 1.2s, 1m20s, 5m0s, 1h0m0s."""
    if seconds == 0:
        return "0s"
    if abs(seconds) < 1:
        return f"{seconds * 1000:.6g}ms" if abs(seconds) >= 1e-3 else f"{seconds * 1e6:.6g}µs"
    minutes, rest = divmod(round(seconds, 9), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{round(rest, 9):.12g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _two(first: int, first_unit: str, second: int, second_unit: str) -> str:
    return f"{first}{first_unit}{second}{second_unit}" if second else f"{first}{first_unit}"


def _utc(at: datetime.datetime) -> datetime.datetime:
    return at if at.tzinfo is datetime.UTC else at.astimezone(datetime.UTC)


def _at_most_micros(text: str) -> str:
    """Drop nanoseconds, which Python cannot hold."""
    if len(text) <= 20 or text[19] != ".":
        return text
    end = 20
    while text[end].isdigit():
        end += 1
    return text[:20] + text[20:end][:6].ljust(6, "0") + text[end:]
