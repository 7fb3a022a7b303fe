"""How ResourceQuotas and LimitRanges print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

RESOURCE_QUOTA_COLUMNS = (
    cells.NAME,
    Column("Request", description="Request represents a minimum amount of cpu/memory that a container may consume."),
    Column(
        "Limit",
        description="Limits control the maximum amount of cpu/memory that a container may use independent of contention "
        "on the node.",
    ),
    cells.AGE,
)
LIMIT_RANGE_COLUMNS = (cells.NAME, Column("Created At", "date", field="metadata.creationTimestamp"))


def resource_quota(obj: Object, now: datetime.datetime) -> list[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    texts = [(name, f"{name}: {used.get(name, '0')}/{limit}") for name, limit in sorted(hard.items())]
    requests = ", ".join(text for name, text in texts if "limits" not in name)
    return [cells.name(obj), requests, ", ".join(text for name, text in texts if "limits" in name), cells.age(obj, now)]


def limit_range(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), obj["metadata"].get("creationTimestamp")]
