"""additionalPrinterColumns: the columns of a custom kind and what stands in them."""

import datetime
from collections.abc import Callable
from typing import Any

from steersman.api.custom import json_path
from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import times
from steersman.meta.objects import Object

Cell = Callable[[Object, datetime.datetime], Any]

_AGE: Object = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def of(version: Object) -> tuple[tuple[Column, ...], Callable[[Object, datetime.datetime], list[Any]]]:
    """Columns and cells of one version; without any of its own, its age."""
    given = version.get("additionalPrinterColumns") or [_AGE]
    columns = (
        cells.NAME,
        *(
            Column(
                one["name"],
                one.get("type", "string"),
                one.get("format", ""),
                one.get("description", "")
                or f"Custom resource definition column (in JSONPath format): {one['jsonPath']}",
                one.get("priority", 0),
            )
            if one is not _AGE
            else cells.AGE
            for one in given
        ),
    )
    makers = [_cell(one) for one in given]

    def row(obj: Object, now: datetime.datetime) -> list[Any]:
        return [cells.name(obj), *(make(obj, now) for make in makers)]

    return columns, row


def _cell(column: Object) -> Cell:
    find = json_path.compiled(column["jsonPath"]).find
    convert = _CONVERTERS.get(column.get("type", "string"), _text)

    def cell(obj: Object, now: datetime.datetime) -> Any:
        found = find(obj)
        return convert(found[0], now) if found else None

    return cell


def _text(value: Any, now: datetime.datetime) -> Any:
    return None if value is None else json_path.shown(value)


def _integer(value: Any, now: datetime.datetime) -> Any:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: Any, now: datetime.datetime) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any, now: datetime.datetime) -> Any:
    return value if isinstance(value, bool) else None


def _date(value: Any, now: datetime.datetime) -> Any:
    if not isinstance(value, str):
        return "<unknown>"
    try:
        return times.age(value, now)
    except ValueError:
        return "<invalid>"


_CONVERTERS: dict[str, Callable[[Any, datetime.datetime], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}
