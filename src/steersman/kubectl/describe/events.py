"""The events at the end of a description: the oldest last seen first."""

from steersman.kubectl.describe.writing import NONE, Description
from steersman.meta.objects import Object


def write(d: Description) -> None:
    """Nothing where events were not asked for."""
    found = d.seen.events
    if found is None:
        return
    if not found:
        d.row(0, "Events:", NONE)
        return
    d.write(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage\n")
    d.row(1, "----", "------", "----", "----", "-------")
    for event in sorted(found, key=lambda one: one.get("lastTimestamp") or ""):
        source = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
        message = (event.get("message") or "").strip()
        part = (event.get("involvedObject") or {}).get("fieldPath")
        d.row(
            1,
            event.get("type", ""),
            event.get("reason", ""),
            age(d, event),
            source,
            f"{part}: {message}" if part else message,
        )


def age(d: Description, event: Object) -> str:
    """`5m (x3 over 10m)`."""
    first = d.since(event.get("eventTime") or event.get("firstTimestamp"))
    series = event.get("series")
    if series:
        return f"{d.since(series.get('lastObservedTime'))} (x{series.get('count', 0)} over {first})"
    count = event.get("count") or 0
    if count > 1:
        return f"{d.since(event.get('lastTimestamp'))} (x{count} over {first})"
    return first
