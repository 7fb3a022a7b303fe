"""How Deployments, ReplicaSets and ControllerRevisions print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import owners
from steersman.meta.objects import Object

DEPLOYMENT_COLUMNS = (
    cells.NAME,
    Column("Ready", description="Number of the pod with ready state"),
    Column("Up-to-date", field="status.updatedReplicas"),
    Column("Available", field="status.availableReplicas"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column("Selector", priority=1, field="spec.selector"),
)

REPLICA_SET_COLUMNS = (
    cells.NAME,
    Column("Desired", "integer", field="spec.replicas"),
    Column("Current", "integer", field="status.replicas"),
    Column("Ready", "integer", field="status.readyReplicas"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column("Selector", priority=1, field="spec.selector"),
)

CONTROLLER_REVISION_COLUMNS = (
    cells.NAME,
    Column("Controller", description="Controller of the object"),
    Column("Revision", field="revision"),
    cells.AGE,
)


def deployment(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        cells.name(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        cells.age(obj, now),
        *cells.containers(spec.get("template")),
        cells.selector(spec.get("selector")),
    ]


def replica_set(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        cells.name(obj),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        cells.age(obj, now),
        *cells.containers(spec.get("template")),
        cells.selector(spec.get("selector")),
    ]


def controller_revision(obj: Object, now: datetime.datetime) -> list[Any]:
    owner = owners.controller_of(obj)
    controller = cells.NONE
    if owner is not None:
        group = owner.get("apiVersion", "").rpartition("/")[0]
        kind = owner.get("kind", "").lower()
        controller = f"{kind}.{group}/{owner.get('name', '')}" if group else f"{kind}/{owner.get('name', '')}"
    return [cells.name(obj), controller, obj.get("revision", 0), cells.age(obj, now)]
