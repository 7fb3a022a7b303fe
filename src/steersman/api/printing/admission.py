"""How webhook configurations print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

_WEBHOOKS = "Webhooks indicates the number of webhooks registered in this configuration"

WEBHOOK_COLUMNS = (cells.NAME, Column("Webhooks", "integer", description=_WEBHOOKS), cells.AGE)


def webhooks(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), len(obj.get("webhooks") or ()), cells.age(obj, now)]
