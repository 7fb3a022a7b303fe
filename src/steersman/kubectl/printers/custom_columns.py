"""`-o custom-columns`: columns of headers and JSONPaths, given in the argument or in a file of two lines."""

import dataclasses
from collections.abc import Sequence

from steersman.kubectl.printers import go_values, relaxed_path
from steersman.kubectl.printers.jsonpath import JsonPath, JsonPathError, ParseError
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.kubectl.printers.templates import TemplateError
from steersman.meta.objects import Object

_NONE = "<none>"
_ESCAPED = str.maketrans({"\x1b": "^[", "\r": "\\r"})
_FILE_FORMAT = "Expected format is one line of space separated headers, one line of space separated column specs."


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    header: str
    path: str


class CustomColumnsPrinter:
    """Prints objects and lists of them; the headers once."""

    def __init__(self, columns: Sequence[Column], *, headers: bool = True) -> None:
        self._columns = columns
        self._headers = headers

    @classmethod
    def from_argument(cls, text: str, *, headers: bool = True) -> "CustomColumnsPrinter":
        """`NAME:.metadata.name,UID:.metadata.uid`. Raises TemplateError."""
        columns: list[Column] = []
        for part in text.split(","):
            header, colon, path = part.partition(":")
            if not colon:
                raise TemplateError(f"unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>")
            columns.append(Column(header, _relaxed(path)))
        return cls(columns, headers=headers)

    @classmethod
    def from_file(cls, text: str) -> "CustomColumnsPrinter":
        """Headers in the first line, paths in the second. Raises TemplateError."""
        lines = text.splitlines()
        if not lines:
            raise TemplateError(f"invalid template, missing header line. {_FILE_FORMAT}")
        if len(lines) < 2:
            raise TemplateError(f"invalid template, missing spec line. {_FILE_FORMAT}")
        names, paths = lines[0].split(), lines[1].split()
        if len(names) != len(paths):
            raise TemplateError(f"number of headers ({len(names)}) and field specifications ({len(paths)}) don't match")
        return cls([Column(name, _relaxed(path)) for name, path in zip(names, paths, strict=True)])

    def print(self, obj: Object) -> str:
        """Raises TemplateError."""
        writer = TabWriter()
        if self._headers:
            writer.row(*(column.header for column in self._columns))
            self._headers = False
        try:
            paths = [JsonPath(column.path, allow_missing_keys=True) for column in self._columns]
            items = obj.get("items")
            for one in items if isinstance(items, list) else [obj]:
                writer.row(*(_cell(path, one) for path in paths))
        except (ParseError, JsonPathError) as wrong:
            raise TemplateError(str(wrong), writer.flush()) from None
        return writer.flush()


def _cell(path: JsonPath, obj: Object) -> str:
    groups = path.find(obj)
    shown = [] if groups and groups[0] else [_NONE]
    shown += [go_values.show(value).translate(_ESCAPED) for group in groups for value in group]
    return ",".join(shown)


def _relaxed(path: str) -> str:
    try:
        return relaxed_path.relaxed(path)
    except relaxed_path.PathError as wrong:
        raise TemplateError(str(wrong)) from None
