"""events.k8s.io: the objects of core/v1 Event under newer names."""

from steersman.api import selectable
from steersman.api.conversions import events as conversion
from steersman.api.defaults import events as event_defaults
from steersman.api.kind import Kind, Storage
from steersman.api.kinds.core import EVENT
from steersman.api.printing import events as event_cells
from steersman.api.validation import events as event_rules

EVENTS = "events.k8s.io"

EVENT_V1 = Kind(
    EVENTS, "v1", "Event", "events", "event",
    short_names=("ev",),
    columns=event_cells.COLUMNS, cells=event_cells.new_event,
    default=event_defaults.default_new_event, validate=event_rules.validate_new_event,
    fields=selectable.of_new_event,
    ttl_seconds=EVENT.ttl_seconds,
    storage=Storage(EVENT, conversion.to_core, conversion.from_core),
    creates_on_update=True,
)  # fmt: skip
