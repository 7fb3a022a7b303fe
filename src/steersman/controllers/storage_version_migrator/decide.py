"""Write every object of a resource once, so that all are stored in the version that is the storage version now.

Reads: StorageVersionMigration, the objects of its resource.  Writes: these objects (a patch that says nothing new),
StorageVersionMigration status.
Leaves to others: converting (API server, which stores again what is stored in another version).
Source: KEP-4192.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.controllers import decision
from steersman.controllers.decision import Decision, Failure
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

RUNNING, SUCCEEDED, FAILED = "Running", "Succeeded", "Failed"
_PREFIX = "StorageVersionMigration"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`kind` is that of the resource, None where the server does not know it; `items` are all its objects as of `revision`."""

    migration: Object
    kind: Kind | None
    items: Sequence[Object]
    revision: str
    now: datetime.datetime
    failure: Failure | None = None


def decide(seen: Seen) -> Decision:
    migration = seen.migration
    if is_over(migration):
        return Decision(why="the migration is over")
    if seen.kind is None:
        return _told(seen, FAILED, "the resource is not served, or cannot be listed and patched")
    status = migration.get("status") or {}
    started = status.get("resourceVersion")
    if not started:
        told = _set(seen, (RUNNING, "True", f"{_PREFIX}InProgress", ""))
        return Decision(
            decision.with_status(
                kinds.STORAGE_VERSION_MIGRATION, migration, {**told, "resourceVersion": seen.revision}
            ),
            "the migration begins",
        )
    if seen.failure is not None:
        return _told(seen, FAILED, seen.failure.message)
    older = [obj for obj in seen.items if int(objects.resource_version(obj)) <= int(started)]
    writes = tuple(decision.patch(seen.kind, obj, {}) for obj in older)
    done = _ended(seen, SUCCEEDED, "")
    return Decision(
        (*writes, *decision.with_status(kinds.STORAGE_VERSION_MIGRATION, migration, done, "done")),
        f"{len(older)} objects to write again",
    )


def is_over(migration: Object) -> bool:
    return any(conditions.is_true(migration, name) for name in (SUCCEEDED, FAILED))


def _told(seen: Seen, name: str, message: str) -> Decision:
    status = _ended(seen, name, message)
    return Decision(decision.with_status(kinds.STORAGE_VERSION_MIGRATION, seen.migration, status), message)


def _ended(seen: Seen, name: str, message: str) -> Object:
    reason = f"{_PREFIX}{name}"
    return _set(seen, (RUNNING, "False", reason, message), (name, "True", reason, message))


def _set(seen: Seen, *told: tuple[str, str, str, str]) -> Object:
    status = dict(seen.migration.get("status") or {})
    for condition in told:
        made = {**conditions.make(*condition), "message": condition[3]}  # required, also when it is empty
        status["conditions"] = conditions.set(status.get("conditions") or (), made, seen.now)
    return status
