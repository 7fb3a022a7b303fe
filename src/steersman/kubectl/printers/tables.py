"""The server's Tables as kubectl shows them: which columns, the extra ones that flags ask for, cells as text. Pure."""

import dataclasses
import datetime
import re
from collections.abc import Callable
from typing import Any

from steersman.kubectl.go_numbers import go_float
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.meta import times
from steersman.meta.objects import Object

_LINE_BREAK = re.compile(r"[\f\n\r]").search


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    wide: bool = False
    headers: bool = True
    namespace: bool = False
    kind: str = ""  # with --show-kind: what stands before names, `deployment.apps`
    show_labels: bool = False
    label_columns: tuple[str, ...] = ()


class TablePrinter:
    """Tables of one kind, one after the other: headers are written when columns change."""

    def __init__(self, options: Options, writer: TabWriter) -> None:
        self._options = options
        self._writer = writer
        self._columns: list[Object] = []
        self._has_headers = False  # these columns' headers were written

    def print(self, table: Object, event: str = "") -> None:
        """Write the table; `event` is the type of a watch event where these are shown."""
        columns = table.get("columnDefinitions") or self._columns  # told only once in a watch
        if columns != self._columns:
            self._columns, self._has_headers = columns, False
        rows = table.get("rows") or []
        if self._options.headers and rows and not self._has_headers:
            self._has_headers = True
            self._writer.row(*_headers(self._columns, self._options, event))
        for row in rows:
            self._writer.row(*_cells(self._columns, row, self._options, event))


def of_objects(objects: list[Object], now: datetime.datetime) -> Object:
    """A Table of names and ages, for objects that came without one."""
    rows = []
    for obj in objects:
        metadata = obj.get("metadata") or {}
        age = times.age(metadata.get("creationTimestamp"), now)
        rows.append({"cells": [metadata.get("name", ""), age], "object": obj})
    return {"columnDefinitions": [{"name": "Name", "format": "name"}, {"name": "Age"}], "rows": rows}


def _shown(columns: list[Object], options: Options) -> list[int]:
    return [place for place, column in enumerate(columns) if options.wide or not column.get("priority")]


def _headers(columns: list[Object], options: Options, event: str) -> list[str]:
    found = ["EVENT"] if event else []
    if options.namespace:
        found.append("NAMESPACE")
    found += [columns[place]["name"].upper() for place in _shown(columns, options)]
    found += [label.rpartition("/")[2].upper() for label in options.label_columns]
    if options.show_labels:
        found.append("LABELS")
    return found


def _cells(columns: list[Object], row: Object, options: Options, event: str) -> list[str]:
    metadata: dict[str, Any] = (row.get("object") or {}).get("metadata") or {}
    labels: dict[str, str] = metadata.get("labels") or {}
    cells = row.get("cells") or []
    found = [f"{event:<8}"] if event else []
    if options.namespace:
        found.append(metadata.get("namespace", ""))
    for place in _shown(columns, options):
        text = cell_text(cells[place]) if place < len(cells) else ""
        is_name = options.kind and columns[place].get("format") == "name"
        found.append(f"{options.kind}/{text}" if is_name else text)
    found += [labels.get(label, "") for label in options.label_columns]
    if options.show_labels:
        found.append(labels_text(labels))
    return found


def labels_text(labels: dict[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def cell_text(cell: Any) -> str:
    """One line; what is cut off is marked. Numbers as Go prints them."""
    text = _VALUES[type(cell)](cell) if type(cell) in _VALUES else str(cell)
    broken = _LINE_BREAK(text)
    if broken:
        text = text[: broken.start()] + "..."
    return text.replace("\x1b", "^[") if "\x1b" in text else text


_VALUES: dict[type, Callable[[Any], str]] = {
    str: lambda cell: cell,
    type(None): lambda cell: "",
    bool: lambda cell: "true" if cell else "false",
    float: go_float,
}
