"""How an object came to be as it is, in order: the writes that led to it, its own changes, its events. Pure."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from steersman.cluster.past import differences
from steersman.meta import times
from steersman.meta.objects import Object

_WHO_CHARACTERS_MAX = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """`at` is RFC 3339 with microseconds, "" when nobody knows; `what` are lines of text."""

    at: str
    who: str
    what: Sequence[str]


def of_writes(writes: Iterable[Object]) -> list[Line]:
    """Writes that led to the object, as `/steersman/writes/REVISION` tells them."""
    return [
        Line(write["at"], _who(write["who"]), [_done(one) for one in write["changes"]] or [write["verb"]])
        for write in writes
    ]


def of_changes(changes: Iterable[Object], remarks: Mapping[int, Sequence[str]]) -> list[Line]:
    """The object's own changes, as `/steersman/history/…` tells them; `remarks` are told with a revision's."""
    lines = []
    for change in changes:
        before, after = change["before"], change["after"]
        if before is None:
            what = [f"created {_name(after)}{_controller(after)}"]
        elif after is None:
            what = [f"deleted {_name(before)}"]
        else:
            what = differences.told(before, after)
        what = [*what, *remarks.get(change["revision"], ())]
        if what:
            lines.append(Line(change["at"], _who(change["who"]), what))
    return lines


def of_event(event: Object, at: str) -> Line:
    who = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
    times_seen = event.get("count") or 1
    often = f" ({times_seen} times)" if times_seen > 1 else ""
    return Line(at, who, [f"{event.get('reason', '')}: {event.get('message', '')}{often}"])


def text(lines: Iterable[Line]) -> str:
    """One block: when (the first as a time of day, the others as what passed since the line before), who, what."""
    ordered = sorted(lines, key=lambda line: line.at)
    rows: list[tuple[str, str, str]] = []
    earlier = ""
    for line in ordered:
        when = _passed(earlier, line.at) if earlier else line.at[11:23]
        for number, what in enumerate(line.what):
            rows.append((when, line.who, what) if number == 0 else ("", "", what))
        earlier = line.at or earlier
    wide = min(_WHO_CHARACTERS_MAX, max((len(who) for _, who, _ in rows), default=0))
    return "\n".join(f"{when:>12}  {who:<{wide}}  {what}" for when, who, what in rows)


def _passed(earlier: str, later: str) -> str:
    if not later:
        return ""
    seconds = (times.parse(later) - times.parse(earlier)).total_seconds()
    if seconds < 1:
        return f"+ {seconds * 1000:.0f} ms"
    return f"+ {seconds:.1f} s" if seconds < 60 else f"+ {times.human_duration(seconds)}"


def _who(user: str) -> str:
    for start in ("system:node:", "system:"):
        user = user.removeprefix(start)
    if user.startswith("serviceaccount:"):
        return user.removeprefix("serviceaccount:").replace(":", "/")
    return user


def _done(change: Object) -> str:
    place = f"{change['namespace']}/{change['name']}" if change["namespace"] else change["name"]
    what = {"create": "created", "delete": "deleted"}.get(change["what"], "changed")
    owner = change["controller"]
    return f"{what} {change['kind']} {place}" + (f", of {owner['kind']} {owner['name']}" if owner else "")


def _name(obj: Object) -> str:
    meta = obj["metadata"]
    place = f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else meta["name"]
    return f"{obj['kind']} {place}"


def _controller(obj: Object) -> str:
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return f", of {owner['kind']} {owner['name']}"
    return ""
