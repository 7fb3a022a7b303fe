"""Columns and cell texts that many kinds share."""

import datetime
from collections.abc import Mapping, Sequence

from steersman.api.kind import Column
from steersman.meta import selectors, times
from steersman.meta.objects import Object

NONE = "<none>"
UNSET = "<unset>"

NAME = Column("Name", format="name", field="metadata.name")
AGE = Column("Age", field="metadata.creationTimestamp")
CONTAINERS = Column("Containers", description="Names of each container in the template.", priority=1)
IMAGES = Column("Images", description="Images referenced by each container in the template.", priority=1)

_LISTED_MAX = 3  # upstream lists three and counts the rest


def name(obj: Object) -> str:
    return str(obj["metadata"].get("name", ""))


def age(obj: Object, now: datetime.datetime) -> str:
    return times.age(obj["metadata"].get("creationTimestamp"), now)


def labels(pairs: Mapping[str, str] | None) -> str:
    """`a=b,c=d` in key order."""
    return ",".join(f"{key}={value}" for key, value in sorted((pairs or {}).items())) or NONE


def selector(label_selector: Object | None) -> str:
    """A LabelSelector as text; one that cannot be read shows as upstream's `<error>`."""
    try:
        return str(selectors.from_object(label_selector)) or NONE
    except selectors.SelectorError:
        return "<error>"


def containers(pod_template: Object | None) -> tuple[str, str]:
    """Names and images of a template's containers."""
    listed = ((pod_template or {}).get("spec") or {}).get("containers") or ()
    return ",".join(one.get("name", "") for one in listed), ",".join(one.get("image", "") for one in listed)


def few(texts: Sequence[str], empty: str = UNSET) -> str:
    """The first three, and how many more there are."""
    shown = ",".join(texts[:_LISTED_MAX])
    if len(texts) > _LISTED_MAX:
        return f"{shown} + {len(texts) - _LISTED_MAX} more..."
    return shown or empty
