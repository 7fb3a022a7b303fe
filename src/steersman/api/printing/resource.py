"""How the kinds of resource.k8s.io print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

CLAIM_COLUMNS = (
    cells.NAME,
    Column("State", description="A summary of the current state (allocated, pending, reserved, etc.)."),
    cells.AGE,
)
SLICE_COLUMNS = (
    cells.NAME,
    Column("Node", field="spec.nodeName"),
    Column("Driver", field="spec.driver"),
    Column("Pool", field="spec.pool.name"),
    cells.AGE,
)


def claim(obj: Object, now: datetime.datetime) -> list[Any]:
    status = obj.get("status") or {}
    states = ["deleted"] if obj["metadata"].get("deletionTimestamp") else []
    states.append("allocated" if status.get("allocation") else "pending")
    if status.get("reservedFor"):
        states.append("reserved")
    return [cells.name(obj), ",".join(states), cells.age(obj, now)]


def resource_slice(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    node = spec.get("nodeName") or "<unset>"
    return [
        cells.name(obj),
        node,
        spec.get("driver", ""),
        (spec.get("pool") or {}).get("name", ""),
        cells.age(obj, now),
    ]
