"""How StorageVersions print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

STORAGE_VERSION_COLUMNS = (
    cells.NAME,
    Column("CommonEncodingVersion", field="status.commonEncodingVersion"),
    Column("StorageVersions", field="status.storageVersions"),
    cells.AGE,
)


def storage_version(obj: Object, now: datetime.datetime) -> list[Any]:
    status = obj.get("status") or {}
    by_server = [f"{one['apiServerID']}={one['encodingVersion']}" for one in status.get("storageVersions") or ()]
    common = status.get("commonEncodingVersion") or cells.UNSET
    return [cells.name(obj), common, cells.few(by_server), cells.age(obj, now)]
