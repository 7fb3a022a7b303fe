"""How PodDisruptionBudgets print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

POD_DISRUPTION_BUDGET_COLUMNS = (
    cells.NAME,
    Column("Min Available", description="The minimum number of pods that must be available."),
    Column("Max Unavailable", description="The maximum number of pods that may be unavailable."),
    Column(
        "Allowed Disruptions",
        "integer",
        description="Calculated number of pods that may be disrupted at this time.",
    ),
    cells.AGE,
)


def pod_disruption_budget(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    least, most = (
        str(spec[field]) if spec.get(field) is not None else "N/A" for field in ("minAvailable", "maxUnavailable")
    )
    return [cells.name(obj), least, most, status.get("disruptionsAllowed", 0), cells.age(obj, now)]
