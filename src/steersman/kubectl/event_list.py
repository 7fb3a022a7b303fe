"""Events as `kubectl events` lists them: which, in what order, and their cells. Pure."""

import datetime
import re
from collections.abc import Sequence

from steersman.kubectl import go_sort
from steersman.meta import times
from steersman.meta.objects import Object

TYPES = ("Normal", "Warning")
COLUMNS = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")

_ALWAYS: Object = {
    "kind": "Event",
    "apiVersion": "v1",
    "involvedObject": {},
    "source": {},
    "firstTimestamp": None,
    "lastTimestamp": None,
    "eventTime": None,
    "reportingComponent": "",
    "reportingInstance": "",
}
_LINE_BREAK = re.compile(r"[\f\n\r]")


def whole(event: Object) -> Object:
    """With the fields that Go writes although they are empty."""
    metadata = {"creationTimestamp": None, **(event.get("metadata") or {})}
    return {**_ALWAYS, **event, "metadata": metadata}


def is_wanted(event: Object, types: Sequence[str]) -> bool:
    return not types or event.get("type", "").lower() in [one.lower() for one in types]


def in_order(events: Sequence[Object]) -> list[Object]:
    """The one seen last stands last."""
    return go_sort.sort(events, lambda one, other: _last_seen(one) < _last_seen(other))


def _last_seen(event: Object) -> datetime.datetime:
    series = event.get("series")
    last = (series or {}).get("lastObservedTime") if series else event.get("lastTimestamp") or event.get("eventTime")
    return times.parse(last) if last else datetime.datetime.min.replace(tzinfo=datetime.UTC)


def cells(event: Object, now: datetime.datetime, *, namespace: bool) -> list[str]:
    about = event.get("involvedObject") or {}
    row = [(event.get("metadata") or {}).get("namespace", "")] if namespace else []
    return [
        *row,
        interval(event, now),
        _cell(event.get("type")),
        _cell(event.get("reason")),
        f"{_cell(about.get('kind'))}/{_cell(about.get('name'))}",
        _cell((event.get("message") or "").strip()),
    ]


def interval(event: Object, now: datetime.datetime) -> str:
    """`5m (x3 over 10m)`."""
    first = times.age(event.get("eventTime") or event.get("firstTimestamp"), now)
    series, count = event.get("series"), event.get("count") or 0
    if series:
        return f"{times.age(series.get('lastObservedTime'), now)} (x{series.get('count', 0)} over {first})"
    return f"{times.age(event.get('lastTimestamp'), now)} (x{count} over {first})" if count > 1 else first


def _cell(text: str | None) -> str:
    """One line; what is cut off is marked."""
    shown = text or ""
    broken = _LINE_BREAK.search(shown)
    return (f"{shown[: broken.start()]}..." if broken else shown).replace("\x1b", "^[")
