"""The messages expressions of mutating policies make: `Object.spec{…}`, whose name is the path of its place, and `JSONPatch`.

Fields of objects are dynamic: policies match many kinds. Source: apiserver's cel/mutation.
"""

import base64
from typing import Any

from steersman.api.cel import checker, escaping, types
from steersman.api.cel.types import DYN, STRING, Type
from steersman.api.cel.values import Duration, Instance, Timestamp

OBJECT, PATCH = "Object", "JSONPatch"

_PATCH_FIELDS: dict[str, tuple[Type, str]] = {
    "op": (STRING, "op"),
    "path": (STRING, "path"),
    "from": (STRING, "from"),
    "value": (DYN, "value"),
}
_UNESCAPED = {"__underscores__": "__", "__dot__": ".", "__dash__": "-", "__slash__": "/"}


def unescaped(name: str) -> str:
    for written, meant in _UNESCAPED.items():
        name = name.replace(written, meant)
    inner = name.removeprefix("__").removesuffix("__")
    return inner if escaping.escape(inner) == name else name


def _any_field(name: str) -> tuple[Type, str]:
    return DYN, unescaped(name)


OBJECT_TYPE = types.struct(OBJECT, _any_field)
PATCH_TYPE = types.struct(PATCH, _PATCH_FIELDS.get)


class Objects(checker.Messages):
    def find(self, name: str) -> Type | None:
        if name == PATCH:
            return PATCH_TYPE
        return types.struct(name, _any_field) if name == OBJECT or name.startswith(f"{OBJECT}.") else None


class Misplaced(Exception):
    """A message stands in a field whose path its name does not say."""


def plain(value: Any, path: str = OBJECT) -> Any:
    """A made object as JSON. Raises Misplaced."""
    if isinstance(value, Instance):
        if value.name != path:
            what = f'unexpected type name "{value.name}", expected "{path}"'
            raise Misplaced(f"{what}, which matches field name path from root Object type")
        return {name: plain(item, f"{path}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item, path) for item in value]
    if isinstance(value, dict):
        return {name: plain(item, path) for name, item in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, Timestamp | Duration) else value
