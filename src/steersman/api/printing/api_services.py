"""How APIServices print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import conditions
from steersman.meta.objects import Object

COLUMNS = (
    cells.NAME,
    Column("Service", description="The reference to the service that hosts this API endpoint."),
    Column("Available", description="Whether this service is available."),
    cells.AGE,
)


def row(obj: Object, now: datetime.datetime) -> list[Any]:
    service = (obj.get("spec") or {}).get("service")
    at = f"{service.get('namespace', '')}/{service.get('name', '')}" if service is not None else "Local"
    return [cells.name(obj), at, _available(obj), cells.age(obj, now)]


def _available(obj: Object) -> str:
    condition = conditions.get(obj, "Available")
    if condition is None:
        return "Unknown"
    status = str(condition.get("status", ""))
    return status if status == "True" else f"{status} ({condition.get('reason', '')})"
