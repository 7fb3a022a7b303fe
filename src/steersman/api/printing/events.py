"""How Events of both groups print."""

import datetime
from typing import Any

from steersman.api.conversions import events as conversion
from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import times
from steersman.meta.objects import Object

COLUMNS = (
    Column("Last Seen", field="lastTimestamp"),
    Column("Type", field="type"),
    Column("Reason", field="reason"),
    Column("Object", field="involvedObject"),
    Column("Subobject", priority=1, field="involvedObject.fieldPath"),
    Column("Source", priority=1, field="source"),
    Column("Message", field="message"),
    Column("First Seen", priority=1, field="firstTimestamp"),
    Column("Count", priority=1, field="count"),
    Column("Name", format="name", priority=1, field="metadata.name"),
)


def event(obj: Object, now: datetime.datetime) -> list[Any]:
    first = times.age(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    last = times.age(obj.get("lastTimestamp"), now) if obj.get("lastTimestamp") else first
    count = obj.get("count") or 1
    series = obj.get("series")
    if series:
        last = times.age(series.get("lastObservedTime"), now)
        count = series.get("count", 0)
    about = obj.get("involvedObject") or {}
    kind, name = str(about.get("kind", "")).lower(), about.get("name", "")
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        about.get("fieldPath", ""),
        _event_source(obj),
        str(obj.get("message", "")).strip(),
        first,
        count,
        cells.name(obj),
    ]


def new_event(obj: Object, now: datetime.datetime) -> list[Any]:
    """Of events.k8s.io/v1."""
    return event(conversion.to_core(obj), now)


def _event_source(obj: Object) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent") or ""
    instance = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {instance}" if instance else component
