"""Ownership of custom kinds, whose types come with the kind."""

import dataclasses
from typing import Any

from steersman.aio import clock as clocks
from steersman.api import schema
from steersman.api.kind import Kind, Subresource
from steersman.api.managed_fields import entries, sets
from steersman.apiserver import ownership, paths, users
from steersman.apiserver.call import Call
from steersman.meta.objects import Object
from steersman.serving import messages
from tests.api.managed_fields import widgets

PATH = "/apis/example.com/v1/namespaces/default/widgets/a"


@dataclasses.dataclass
class Custom:
    schema: Object | None
    name: str = "com.example.v1.Widget"
    digest: str = ""

    def decode(self, kind: Kind, obj: Object, field_validation: str) -> tuple[Object, list[str]]:
        return obj, []

    def definitions(self, kind: Kind, *, openapi: str) -> dict[str, Object]:
        return {}


def kind(given: Object | None) -> Kind:
    status = Subresource("status", "Widget", "example.com", "v1")
    return Kind("example.com", "v1", "Widget", "widgets", "widget", subresources=(status,), custom=Custom(given))


def call(of: Kind, path: str = PATH, manager: str = "ci", **parameters: str) -> Call:
    request = messages.Request("PATCH", path)
    found = {name: [value] for name, value in {"fieldManager": manager, **parameters}.items()}
    return Call(request, paths.parse("PATCH", path), users.authenticated("me", ()), of, found)


def server() -> ownership.Ownership:
    return ownership.Ownership(clocks.SystemClock(), schema.of_release())


def fields(found: list[entries.Entry]) -> dict[str, list[str]]:
    return {one["manager"]: [sets.text(path) for path in sets.paths(one["fieldsV1"])] for one in found}


def with_entries(obj: Object, found: list[entries.Entry]) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "managedFields": found}}


WIDGETS = kind(widgets.SCHEMA)


def test_a_schema_decides_what_is_owned():
    wanted = widgets.widget(rules=[{"name": "a"}], list=["x"])
    _, found = server().applied(call(WIDGETS), wanted, None)
    assert fields(found) == {
        "ci": [".spec.list", '.spec.rules[kind="plain",name="a"]', '.spec.rules[kind="plain",name="a"].name']
    }


def test_a_changed_schema_is_seen():
    owners, wanted = server(), widgets.widget(rules=[{"name": "a"}])
    owners.applied(call(WIDGETS), wanted, None)
    _, found = owners.applied(call(kind(None)), wanted, None)
    assert fields(found) == {"ci": [".spec", ".spec.rules"]}


def test_the_status_of_a_custom_kind_owns_nothing_else():
    old = with_entries(
        widgets.widget(), entries.read([entries.make("x", "Update", "example.com/v1", "", {"f:spec": {}})])
    )
    wanted = {**widgets.widget(number=1), "status": {"phase": "x"}, "metadata": {"name": "a", "labels": {"a": "b"}}}
    _, found = server().applied(call(kind(None), f"{PATH}/status"), wanted, old)
    assert fields(found)["ci"] == [".status", ".status.phase"]


def test_entries_of_other_versions_stay():
    old: Any = widgets.widget(number=1)
    other = entries.make("other", "Update", "example.com/v2", "", sets.of(("f:spec", "f:number")))
    strange = entries.make("strange", "Update", "elsewhere.com/v1", "", sets.of(("f:spec", "f:number")))
    stored = with_entries(old, [other, strange])
    found = server().updated(call(WIDGETS), with_entries(widgets.widget(number=1, text="x"), [other, strange]), stored)
    assert fields(found) == {"ci": [".spec.text"], "other": [".spec.number"]}
