"""JSON of objects that upstream's kubectl holds as Go structs: fields in the order of their declaration, not of the alphabet."""

from collections.abc import Mapping
from typing import Any

from steersman.api import go_fields
from steersman.kubectl.printers.plain import JsonPrinter
from steersman.meta.objects import Object

_FIRST = ("kind", "apiVersion")


class TypedJsonPrinter(JsonPrinter):
    """`type_name` as OpenAPI has it: `io.k8s.api.core.v1.EventList`."""

    def __init__(self, type_name: str, *, keep_managed_fields: bool = False) -> None:
        super().__init__(keep_managed_fields=keep_managed_fields, keep_order=True)
        self._type = type_name

    def print(self, obj: Object) -> str:
        return super().print(ordered(obj, self._type))


def ordered(value: Any, kind: str) -> Any:
    """The value with the fields of each struct in Go's order; maps in the alphabet's."""
    kind = kind.lstrip("*!")
    if isinstance(value, list):
        return [ordered(one, kind.removeprefix("[]")) for one in value]
    if not isinstance(value, Mapping):
        return value
    fields = go_fields.table().get(kind)
    if fields is None:
        inner = kind.removeprefix("map:")
        return {key: ordered(value[key], inner) for key in sorted(value)}
    known = {name: field for _, (name, field) in sorted(fields.items(), key=lambda item: int(item[0]))}
    declared = known if _FIRST[0] in known else dict.fromkeys((*_FIRST, *known))
    names = [*(name for name in declared if name in value), *(name for name in value if name not in declared)]
    return {name: ordered(value[name], known.get(name, "")) for name in names}
