"""A custom kind with a field of every sort, in two versions, and objects of it by chance."""

from typing import Any

from hypothesis import strategies as st

from steersman.api.managed_fields import compiling
from steersman.meta.objects import Object

_RULE: Object = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "kind": {"type": "string", "default": "plain"},
        "value": {"type": "integer"},
    },
}
_FIELDS: Object = {
    "number": {"type": "integer"},
    "text": {"type": "string"},
    "flag": {"type": "boolean"},
    "port": {"x-kubernetes-int-or-string": True},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "selector": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
    "list": {"type": "array", "items": {"type": "string"}},
    "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    "rules": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name", "kind"],
        "items": _RULE,
    },
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}


def _schema(fields: Object) -> Object:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}


SCHEMA = _schema(_FIELDS)
WIDGET = compiling.of_schema("Widget", "example.com/v1", SCHEMA)
V2 = compiling.of_schema("Widget", "example.com/v2", _schema({**_FIELDS, "count": {"type": "integer"}}))
"""v2 calls `number` `count`."""

NAME: Object = {"name": "a"}


def widget(**spec: Any) -> Object:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": NAME, "spec": spec}


def convert(obj: Object, api_version: str) -> tuple[compiling.Type, Object] | None:
    of_type = {WIDGET.api_version: WIDGET, V2.api_version: V2}.get(api_version)
    if of_type is None:
        return None
    was, now = ("number", "count") if of_type is V2 else ("count", "number")
    spec = {now if field == was else field: value for field, value in (obj.get("spec") or {}).items()}
    return of_type, {**obj, "apiVersion": api_version, **({"spec": spec} if "spec" in obj else {})}


def specs(letters: str = "xyz") -> st.SearchStrategy[Object]:
    """What a manager may say; names are of these letters, so that two can be kept apart. Nothing in it is empty, as after
    decoding."""
    names = st.sampled_from(letters)
    rules = st.lists(
        st.fixed_dictionaries({"name": names}, optional={"value": st.integers(0, 2)}),
        min_size=1,
        max_size=3,
        unique_by=lambda one: str(one["name"]),
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "labels": st.dictionaries(names, st.sampled_from(["1", "2"]), min_size=1, max_size=3),
            "tags": st.lists(names, min_size=1, max_size=3, unique=True),
            "rules": rules,
            "free": st.dictionaries(names, st.integers(0, 2), min_size=1, max_size=3),
        },
    )


_OWN: dict[str, st.SearchStrategy[Any]] = {
    "number": st.integers(0, 2),
    "text": st.sampled_from(["x", "y"]),
    "selector": st.just({"a": "b"}),
    "list": st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2),
}
SPECS = st.builds(lambda shared, own: {**shared, **own}, specs(), st.fixed_dictionaries({}, optional=_OWN))
