"""Whole objects: as JSON, as YAML, or only their names with what was done to them."""

from typing import Any

from steersman.kubectl.printers import go_json
from steersman.meta.objects import Object


class JsonPrinter:
    """`keep_order`: the keys stand as they are, not sorted: objects of upstream's typed clients."""

    def __init__(self, *, keep_managed_fields: bool = False, keep_order: bool = False) -> None:
        self._keep, self._keep_order = keep_managed_fields, keep_order

    def print(self, obj: Object) -> str:
        return format_json(obj if self._keep else without_managed_fields(obj), sort_keys=not self._keep_order) + "\n"


class YamlPrinter:
    def __init__(self, *, keep_managed_fields: bool = False) -> None:
        self._keep = keep_managed_fields
        self._printed = False

    def print(self, obj: Object) -> str:
        from steersman.kubectl import go_yaml

        separator = "---\n" if self._printed else ""
        self._printed = True
        return separator + go_yaml.dump(obj if self._keep else without_managed_fields(obj))


class NamePrinter:
    """`deployment.apps/web created`; of a List, a line for each item."""

    def __init__(self, operation: str = "", *, short: bool = False) -> None:
        self._operation = operation
        self._short = short

    def print(self, obj: Object) -> str:
        if "items" in obj:
            return "".join(map(self.print, obj["items"]))
        name = qualified_name(obj)
        if self._short or not self._operation:
            return f"{name}\n"
        return f"{name} {self._operation}\n"


def qualified_name(obj: Object) -> str:
    """`pod/web`, `deployment.apps/web`."""
    group, slash, _ = obj.get("apiVersion", "").partition("/")
    kind = obj.get("kind", "").lower()
    name = (obj.get("metadata") or {}).get("name") or "<unknown>"
    return f"{kind}.{group}/{name}" if slash and group else f"{kind or '<unknown>'}/{name}"


def format_json(value: Any, indent: int | None = 4, *, sort_keys: bool = True) -> str:
    """As Go's encoding/json: a map's keys in order, and nothing that could end an HTML text."""
    return go_json.dumps(value, indent, sort_keys=sort_keys)


def without_managed_fields(obj: Object) -> Object:
    if "items" in obj and isinstance(obj["items"], list):
        return {**obj, "items": [without_managed_fields(item) for item in obj["items"]]}
    metadata = obj.get("metadata")
    if not metadata or "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}
