"""What becomes of a recorded event: a new Event object, a higher count on an old one, or nothing. Pure.

client-go's rules (tools/record/events_cache.go): many events of one object and reason that differ only in their message
become one "(combined from similar events)"; the same event again raises its count; an object that floods is cut.
"""

import dataclasses
import datetime
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from steersman.meta import times
from steersman.meta.objects import Object

# client-go's defaults.
REMEMBERED_MAX = 4096
SIMILAR_MAX = 10
SIMILAR_SECONDS = 600
BURST = 25
REFILL_PER_SECOND = 1 / 300


Key = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Occurrence:
    """One call of the recorder; `involved` is the reference to the object."""

    involved: Object
    type: str
    reason: str
    message: str
    at: datetime.datetime
    component: str
    host: str
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def source_and_object(self) -> Key:
        about = self.involved.get
        named = about("kind", ""), about("namespace", ""), about("name", ""), about("uid", ""), about("apiVersion", "")
        return (self.component, self.host, *named)


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """Create `event`, or, where it is thought to exist already, apply `patch` to it."""

    key: Key
    event: Object
    patch: Object | None


@dataclasses.dataclass(slots=True)
class _Recorded:
    name: str
    first: str
    count: int


@dataclasses.dataclass(slots=True)
class _Similar:
    messages: dict[str, None]
    last: datetime.datetime


@dataclasses.dataclass(slots=True)
class _Bucket:
    tokens: float
    at: datetime.datetime


class Correlator:
    """Remembers the newest few thousand events, to tell repeated ones from new ones."""

    def __init__(self) -> None:
        self._recorded: OrderedDict[Key, _Recorded] = OrderedDict()
        self._similar: OrderedDict[Key, _Similar] = OrderedDict()
        self._buckets: OrderedDict[Key, _Bucket] = OrderedDict()
        self._last_number = 0

    def decide(self, seen: Occurrence) -> Write | None:
        """What to write for an occurrence; None when its object floods (it is counted nevertheless)."""
        source = seen.source_and_object
        message, key = self._combine(seen, (*source, seen.type, seen.reason))
        stamp = times.format_seconds(seen.at)
        known = self._recorded.get(key) or _Recorded(self._new_name(seen), stamp, 0)
        known.count += 1
        _remember(self._recorded, key, known)
        if not self._admit(seen, source):
            return None
        event = _event(seen, message, known, stamp)
        if known.count == 1:
            return Write(key, event, None)
        return Write(key, event, {"count": known.count, "lastTimestamp": stamp, "message": message})

    def forget(self, key: Key) -> None:
        """The Event was refused: the next occurrence starts anew."""
        self._recorded.pop(key, None)

    def _combine(self, seen: Occurrence, kind: Key) -> tuple[str, Key]:
        """`kind` is the same for events that differ only in their message."""
        similar = self._similar.get(kind)
        if similar is None or (seen.at - similar.last).total_seconds() > SIMILAR_SECONDS:
            similar = _Similar({}, seen.at)
        similar.last = seen.at
        similar.messages[seen.message] = None
        _remember(self._similar, kind, similar)
        if len(similar.messages) < SIMILAR_MAX:
            return seen.message, (*kind, seen.involved.get("fieldPath", ""), seen.message)
        del similar.messages[next(iter(similar.messages))]
        return f"(combined from similar events): {seen.message}", kind

    def _admit(self, seen: Occurrence, key: Key) -> bool:
        bucket = self._buckets.get(key) or _Bucket(BURST, seen.at)
        passed = max(0.0, (seen.at - bucket.at).total_seconds())
        tokens = min(float(BURST), bucket.tokens + passed * REFILL_PER_SECOND)
        admitted = tokens >= 1
        _remember(self._buckets, key, _Bucket(tokens - admitted, seen.at))
        return admitted

    def _new_name(self, seen: Occurrence) -> str:
        """`OBJECT.HEX` of the nanoseconds since 1970, one more where two events happen at the same moment."""
        self._last_number = max(_nanoseconds(seen.at), self._last_number + 1)
        return f"{seen.involved.get('name', '')}.{self._last_number:x}"


def reference(obj: Object, field_path: str = "") -> Object:
    """An ObjectReference to an object that carries apiVersion and kind."""
    meta = obj["metadata"]
    found = {
        "kind": obj.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta.get("name"),
        "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
        "fieldPath": field_path,
    }
    return {key: value for key, value in found.items() if value}


def _event(seen: Occurrence, message: str, known: _Recorded, stamp: str) -> Object:
    source = {"component": seen.component} | ({"host": seen.host} if seen.host else {})
    metadata: Object = {"name": known.name, "namespace": seen.involved.get("namespace") or "default"}
    if seen.annotations:
        metadata["annotations"] = dict(seen.annotations)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": metadata,
        "involvedObject": seen.involved,
        "reason": seen.reason,
        "message": message,
        "source": source,
        "firstTimestamp": known.first,
        "lastTimestamp": stamp,
        "count": known.count,
        "type": seen.type,
        "eventTime": None,
        "reportingComponent": seen.component,
        "reportingInstance": seen.host,
    }


_EPOCH, _MICROSECOND = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(microseconds=1)


def _nanoseconds(at: datetime.datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1000


def _remember(kept: OrderedDict[Key, Any], key: Key, value: Any) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > REMEMBERED_MAX:
        kept.popitem(last=False)
