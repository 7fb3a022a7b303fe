"""How Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers and ControllerRevisions print."""

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

REPLICATION_CONTROLLER_COLUMNS = REPLICA_SET_COLUMNS

STATEFUL_SET_COLUMNS = (
    cells.NAME,
    Column("Ready", description="Number of the pod with ready state"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
)

DAEMON_SET_COLUMNS = (
    cells.NAME,
    Column("Desired", "integer", field="status.desiredNumberScheduled"),
    Column("Current", "integer", field="status.currentNumberScheduled"),
    Column("Ready", "integer", field="status.numberReady"),
    Column("Up-to-date", "integer", field="status.updatedNumberScheduled"),
    Column("Available", "integer", field="status.numberAvailable"),
    Column("Node Selector", field="spec.template.spec.nodeSelector"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column("Selector", priority=1, field="spec.selector"),
)

POD_TEMPLATE_COLUMNS = (
    cells.NAME,
    Column("Containers", description="Names of each container in the template."),
    Column("Images", description="Images referenced by each container in the template."),
    Column("Pod Labels", description="The labels for the pod template."),
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


def replication_controller(obj: Object, now: datetime.datetime) -> list[Any]:
    return [*replica_set(obj, now)[:-1], cells.labels((obj.get("spec") or {}).get("selector"))]


def stateful_set(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        cells.name(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        cells.age(obj, now),
        *cells.containers(spec.get("template")),
    ]


def daemon_set(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    template = spec.get("template") or {}
    return [
        cells.name(obj),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        cells.labels((template.get("spec") or {}).get("nodeSelector")),
        cells.age(obj, now),
        *cells.containers(template),
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


def pod_template(obj: Object, now: datetime.datetime) -> list[Any]:
    template = obj.get("template") or {}
    return [cells.name(obj), *cells.containers(template), cells.labels((template.get("metadata") or {}).get("labels"))]
