"""The objects of flow control as they should be: those every cluster has, and whether a schema's level is there. Pure."""

import datetime
from collections.abc import Collection, Iterable

from steersman.api import flow_objects, kinds
from steersman.api.kind import Kind
from steersman.meta import conditions, objects, times
from steersman.meta.objects import Object

DANGLING = "Dangling"


def of_every_cluster(now: datetime.datetime) -> list[tuple[Kind, Object]]:
    found: list[tuple[Kind, Object]] = []
    for name, spec in flow_objects.LEVELS.items():
        found.append((kinds.PRIORITY_LEVEL_CONFIGURATION, flow_objects.make("PriorityLevelConfiguration", name, spec)))
    for name, spec in flow_objects.SCHEMAS.items():
        schema = flow_objects.make("FlowSchema", name, spec)
        condition = dangling(schema, flow_objects.LEVELS) | {"lastTransitionTime": times.format_seconds(now)}
        found.append((kinds.FLOW_SCHEMA, schema | {"status": {"conditions": [condition]}}))
    return found


def missing(schemas: Iterable[Object], levels: Iterable[Object], now: datetime.datetime) -> list[tuple[Kind, Object]]:
    """What every cluster has and this one has lost."""
    there = {(kinds.FLOW_SCHEMA.plural, objects.name(one)) for one in schemas}
    there |= {(kinds.PRIORITY_LEVEL_CONFIGURATION.plural, objects.name(one)) for one in levels}
    return [(kind, obj) for kind, obj in of_every_cluster(now) if (kind.plural, objects.name(obj)) not in there]


def level_of(schema: Object) -> str:
    return str((schema["spec"].get("priorityLevelConfiguration") or {}).get("name", ""))


def dangling(schema: Object, levels: Collection[str]) -> Object:
    """The condition Dangling, without times."""
    name = level_of(schema)
    start = f'This FlowSchema references the PriorityLevelConfiguration object named "{name}"'
    if name in levels:
        return conditions.make(DANGLING, "False", "Found", f"{start} and it exists")
    return conditions.make(DANGLING, "True", "NotFound", f"{start} but there is no such object")


def with_condition(schema: Object, levels: Collection[str], now: datetime.datetime) -> Object | None:
    """The schema with the condition it should have; None when it has it."""
    status = schema.get("status") or {}
    changed = conditions.set(status.get("conditions") or (), dangling(schema, levels), now)
    return None if changed == status.get("conditions") else {**schema, "status": {**status, "conditions": changed}}
