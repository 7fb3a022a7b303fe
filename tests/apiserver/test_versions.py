"""Kinds in several versions: one is stored, and every verb works in each of them."""

import contextlib

import orjson
import pytest

from steersman.api import kinds, schema
from steersman.api.kind import of_version
from steersman.meta.objects import Object
from tests.api import builders
from tests.apiserver import kit

CORE = "/api/v1/namespaces/default/events"
NEW = "/apis/events.k8s.io/v1/namespaces/default/events"
APPLY = {"content-type": "application/apply-patch+yaml"}


def event(name: str = "e1", **fields: object) -> Object:
    """One of events.k8s.io/v1."""
    return {
        "metadata": {"name": name},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "test.io/tests",
        "reportingInstance": "here",
        "action": "Do",
        "reason": "Test",
        "type": "Normal",
        "note": "said",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        **fields,
    }


async def test_written_in_one_version_read_in_the_other(api: kit.Api):
    made = await api.make(NEW, event())
    assert (made["apiVersion"], made["note"], made["regarding"]["name"]) == ("events.k8s.io/v1", "said", "p")
    core = (await api.ask("GET", f"{CORE}/e1")).body
    assert (core["apiVersion"], core["message"], core["involvedObject"]["name"]) == ("v1", "said", "p")
    assert core["reportingComponent"] == "test.io/tests"
    assert core["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    entry = await api.store.get("/core/events/default/e1")
    assert entry is not None
    assert entry.value.startswith(b'{"kind":"Event","apiVersion":"v1",')
    listed = (await api.ask("GET", NEW)).body
    assert (listed["apiVersion"], [one["note"] for one in listed["items"]]) == ("events.k8s.io/v1", ["said"])


@pytest.mark.parametrize(
    ("path", "selector", "count"),
    [
        (NEW, "regarding.name=p", 1),
        (NEW, "regarding.name=q", 0),
        (NEW, "reportingController=test.io/tests,reason=Test", 1),
        (CORE, "involvedObject.name=p,reportingComponent=test.io/tests", 1),
    ],
)
async def test_each_version_has_its_own_field_selectors(api: kit.Api, path, selector, count):
    await api.make(NEW, event())
    found = (await api.ask("GET", path, query=f"fieldSelector={selector}")).body
    assert len(found["items"]) == count


async def test_fields_of_the_other_version_cannot_be_selected_on(api: kit.Api):
    answer = await api.ask("GET", NEW, query="fieldSelector=involvedObject.name=p")
    assert answer.refusal == (400, "BadRequest", "field label not supported: involvedObject.name")


async def test_changes_and_deletion(api: kit.Api):
    await api.make(NEW, event())
    series = {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:01:00.000000Z"}}
    patched = await api.ask("PATCH", f"{NEW}/e1", series, headers=kit.STRATEGIC)
    assert (patched.status, patched.body["series"]["count"]) == (200, 2)
    refused = await api.ask("PATCH", f"{NEW}/e1", {"note": "other"}, headers=kit.MERGE)
    assert refused.refusal == (
        422,
        "Invalid",
        'Event.events.k8s.io "e1" is invalid: message: Invalid value: "other": field is immutable',
    )
    by_core = await api.ask("PATCH", f"{CORE}/e1", {"message": "other"}, headers=kit.MERGE)
    assert by_core.status == 200
    table = (await api.ask("GET", f"{NEW}/e1", headers=kit.TABLE)).body
    assert table["rows"][0]["cells"][6] == "other"
    assert (await api.ask("DELETE", NEW)).body["kind"] == "EventList"
    assert (await api.ask("GET", f"{CORE}/e1")).status == 404


async def test_a_watch_tells_in_its_own_version(api: kit.Api):
    answer = await api.ask("GET", NEW, query="watch=1&resourceVersion=" + str(api.store.revision))
    stream = answer.response.stream
    assert stream is not None
    async with contextlib.aclosing(stream):  # type: ignore[type-var]
        await api.make(CORE, {"metadata": {"name": "old"}, "involvedObject": {"namespace": "default"}, "message": "m"})
        told = orjson.loads(await anext(aiter(stream)))
    assert (told["type"], told["object"]["apiVersion"], told["object"]["note"]) == ("ADDED", "events.k8s.io/v1", "m")


async def test_owners_in_two_versions_know_of_each_other(api: kit.Api):
    def applied(note: str) -> Object:
        return {"apiVersion": "events.k8s.io/v1", "kind": "Event", **event(note=note)}

    made = await api.ask("PATCH", f"{NEW}/e1", applied("one"), "fieldManager=a", APPLY)
    assert made.status == 201, made.raw
    core = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e1"}, "message": "two"}
    conflict = await api.ask("PATCH", f"{CORE}/e1", core, "fieldManager=b", APPLY)
    assert conflict.status == 409
    assert conflict.body["message"] == 'Apply failed with 1 conflict: conflict with "a": .note'
    forced = await api.ask("PATCH", f"{CORE}/e1", core, "fieldManager=b&force=true", APPLY)
    owners = {one["manager"]: (one["apiVersion"], one["fieldsV1"]) for one in forced.body["metadata"]["managedFields"]}
    assert owners["b"] == ("v1", {"f:message": {}})
    assert owners["a"][0] == "events.k8s.io/v1"
    assert "f:note" not in owners["a"][1]
    assert "f:reason" in owners["a"][1]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"eventTime": None}, ["eventTime: Required value"]),
        ({"type": "Loud"}, ['type: Invalid value: "": has invalid value: Loud']),
        ({"action": ""}, ["action: Required value"]),
        ({"note": "x" * 1025}, ['message: Invalid value: "": can have at most 1024 characters']),
        (
            {"series": {"count": 1}},
            ['series.count: Invalid value: "": should be at least 2', "series.lastObservedTime: Required value"],
        ),
        ({"deprecatedCount": 3}, ['count: Invalid value: "": needs to be unset']),
        ({"deprecatedSource": {"component": "x"}}, ['source: Invalid value: "": needs to be unset']),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_an_event_of_the_new_kind_must_be(changes, wrong):
    new = event(**changes)
    new["metadata"]["namespace"] = "default"
    assert builders.refused(kinds.EVENT_V1, new) == wrong


@pytest.mark.parametrize(
    "kind", [kind for kind in kinds.BUILTIN if kind.storage], ids=lambda kind: kind.api_version + kind.kind
)
def test_nothing_is_lost_on_the_way_to_the_store_and_back(kind):
    assert kind.storage is not None
    obj = builders.of_kind(kind)
    assert kind.storage.back(kind.storage.to(dict(obj))) == obj
    assert kind.storage.to({}).get("apiVersion") == kind.stored.api_version


def test_a_version_with_the_same_fields():
    beta = of_version(kinds.DEPLOYMENT, "v1beta9")
    assert (beta.api_version, beta.stored) == ("apps/v1beta9", kinds.DEPLOYMENT)
    assert [sub.version for sub in beta.subresources] == ["v1beta9", "v1"]  # status, scale
    assert schema.of_release().name_of("apps", "v1beta9", "Deployment") is None
