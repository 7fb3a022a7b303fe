"""How RuntimeClasses print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

RUNTIME_CLASS_COLUMNS = (cells.NAME, Column("Handler", field="handler"), cells.AGE)


def runtime_class(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), obj.get("handler", ""), cells.age(obj, now)]
