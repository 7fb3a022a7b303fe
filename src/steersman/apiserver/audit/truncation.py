"""Events that are too large lose their objects, and go altogether when that is not enough (upstream's plugin/audit/truncate).

Pure.
"""

import logging

import orjson

from steersman.meta.objects import Object

log = logging.getLogger(__name__)

ANNOTATION = "audit.k8s.io/truncated"
_OBJECTS = ("requestObject", "responseObject")


def cut(event: Object, bytes_max: int) -> Object | None:
    """The event as it may be kept; None where it may not. `bytes_max` 0: as it is."""
    if not bytes_max or len(orjson.dumps(event)) <= bytes_max:
        return event
    less = {name: value for name, value in event.items() if name not in _OBJECTS}
    if len(less) < len(event):
        less["annotations"] = dict(sorted({**(event.get("annotations") or {}), ANNOTATION: "true"}.items()))
        if len(orjson.dumps(less)) <= bytes_max:
            return less
    log.warning("audit event %s (%s) is too large to be kept", event.get("auditID"), event.get("stage"))
    return None
