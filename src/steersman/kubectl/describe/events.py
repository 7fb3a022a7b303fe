"""The events at the end of a description: the oldest last seen first."""

from steersman.kubectl import event_list, go_sort
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
    for event in go_sort.sort(found, _was_before):
        source = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
        message = (event.get("message") or "").strip()
        d.row(
            1,
            event.get("type", ""),
            event.get("reason", ""),
            event_list.interval(event, d.seen.now),
            source,
            message,
        )


def _was_before(one: Object, other: Object) -> bool:
    return (one.get("lastTimestamp") or "") < (other.get("lastTimestamp") or "")
