"""How FlowSchemas and PriorityLevelConfigurations print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import conditions
from steersman.meta.objects import Object

SCHEMA_COLUMNS = (
    cells.NAME,
    Column("PriorityLevel", field="spec.priorityLevelConfiguration.name"),
    Column("MatchingPrecedence", field="spec.matchingPrecedence"),
    Column("DistinguisherMethod", field="spec.distinguisherMethod"),
    cells.AGE,
    Column("MissingPL", description="references a broken or non-existent PriorityLevelConfiguration"),
)

LEVEL_COLUMNS = (
    cells.NAME,
    Column("Type", field="spec.type"),
    Column("NominalConcurrencyShares", field="spec.limited.nominalConcurrencyShares"),
    Column("Queues", field="spec.limited.limitResponse.queuing.queues"),
    Column("HandSize", field="spec.limited.limitResponse.queuing.handSize"),
    Column("QueueLengthLimit", field="spec.limited.limitResponse.queuing.queueLengthLimit"),
    cells.AGE,
)


def schema(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        cells.name(obj),
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        str(spec.get("matchingPrecedence", 0)),
        (spec.get("distinguisherMethod") or {}).get("type") or cells.NONE,
        cells.age(obj, now),
        conditions.status(obj, "Dangling") or "?",
    ]


def level(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    of_type = spec.get("limited") or spec.get("exempt") or {}
    queuing = (of_type.get("limitResponse") or {}).get("queuing") or {}
    queues = [str(queuing.get(field, cells.NONE)) for field in ("queues", "handSize", "queueLengthLimit")]
    shares = str(of_type.get("nominalConcurrencyShares", cells.NONE))
    return [cells.name(obj), spec.get("type", ""), shares, *queues, cells.age(obj, now)]
