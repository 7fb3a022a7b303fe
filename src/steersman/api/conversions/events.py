"""Events: core/v1 is stored, events.k8s.io/v1 is the same object under other field names.

Source: the conversions of upstream's pkg/apis/events/v1.
"""

from steersman.meta.objects import Object

_CORE_OF_NEW = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_NEW_OF_CORE = {core: new for new, core in _CORE_OF_NEW.items()}


def to_core(event: Object) -> Object:
    return {**_renamed(event, _CORE_OF_NEW), "apiVersion": "v1"}


def from_core(event: Object) -> Object:
    return {**_renamed(event, _NEW_OF_CORE), "apiVersion": "events.k8s.io/v1"}


def _renamed(event: Object, names: dict[str, str]) -> Object:
    return {names.get(field, field): value for field, value in event.items()}
