from typing import Any

import pytest

from steersman.api.managed_fields import entries, sets
from steersman.api.managed_fields.entries import APPLY, UPDATE

OWNED: sets.Set = {"f:spec": {"f:replicas": {}}}


def entry(
    manager: str = "me", operation: str = UPDATE, time: str = "2026-01-01T00:00:00Z", **more: Any
) -> entries.Entry:
    version, subresource = more.get("version", "v1"), more.get("subresource", "")
    return entries.make(manager, operation, version, subresource, more.get("fields", OWNED), time)


def test_an_entry_as_clients_see_it():
    assert list(entry(subresource="status").items()) == [
        ("manager", "me"),
        ("operation", "Update"),
        ("apiVersion", "v1"),
        ("time", "2026-01-01T00:00:00Z"),
        ("fieldsType", "FieldsV1"),
        ("fieldsV1", OWNED),
        ("subresource", "status"),
    ]


def test_appliers_are_the_same_in_every_version_updaters_are_not():
    assert entries.identity(entry(operation=APPLY)) == entries.identity(entry(operation=APPLY, version="v2"))
    assert entries.identity(entry()) != entries.identity(entry(version="v2"))
    assert entries.identity(entry()) != entries.identity(entry(subresource="status"))


@pytest.mark.parametrize(
    ("given", "expect"),
    [([], True), ([{}], True), (None, False), ([entry()], False), ([{}, {}], False)],
    ids=["empty", "one empty", "none", "an entry", "two empty"],
)
def test_resets(given: Any, expect: bool):
    assert entries.is_reset(given) is expect


MALFORMED: dict[str, Any] = {
    "no list": {},
    "no object": ["x"],
    "no operation": [{**entry(), "operation": ""}],
    "unknown operation": [{**entry(), "operation": "Delete"}],
    "no version": [{**entry(), "apiVersion": ""}],
    "no type of fields": [{**entry(), "fieldsType": ""}],
    "manager no text": [{**entry(), "manager": 1}],
    "broken fields": [{**entry(), "fieldsV1": {"nope": {}}}],
}


@pytest.mark.parametrize("given", MALFORMED.values(), ids=MALFORMED)
def test_malformed(given: Any):
    with pytest.raises(entries.Malformed):
        entries.read(given)


def test_reading_gives_the_one_form_and_the_last_of_equals():
    twice = [{**entry(fields={"f:a": {}}), "strange": 1}, entry(fields={"f:b": {".": {}}})]
    assert entries.read(twice) == [entry(fields={"f:b": {}})]
    assert entries.read([{**entry(), "fieldsV1": None}])[0]["fieldsV1"] == {}


def test_the_order_is_applied_first_then_by_time_and_name():
    found = [
        entry("b", UPDATE, "2026-01-02T00:00:00Z"),
        entry("a", UPDATE, "2026-01-02T00:00:00Z"),
        entry("z", UPDATE, "2026-01-01T00:00:00Z"),
        entry("x", APPLY, "2026-01-09T00:00:00Z"),
    ]
    assert [one["manager"] for one in entries.ordered(found)] == ["x", "z", "a", "b"]


def test_many_updaters_are_put_together_oldest_first():
    found = [
        entry(f"m{day:02}", UPDATE, f"2026-01-{day:02}T00:00:00Z", fields={f"f:{day}": {}}) for day in range(1, 14)
    ]
    limited = entries.limited([*found, entry("applier", APPLY)])
    assert len(limited) == entries.UPDATES_MAX + 1
    (ancient,) = [one for one in limited if one["manager"] == "ancient-changes"]
    assert ancient["fieldsV1"] == {f"f:{day}": {} for day in range(1, 5)}
    assert ancient["time"] == "2026-01-04T00:00:00Z"
    assert [one["manager"] for one in limited if one["manager"].startswith("m")] == [
        f"m{day:02}" for day in range(5, 14)
    ]


def test_the_oldest_of_several_versions_keep_their_version():
    found = [
        entry(f"m{day:02}", UPDATE, f"2026-01-{day:02}T00:00:00Z", version=f"v{day % 2}", fields={f"f:{day}": {}})
        for day in range(1, 13)
    ]
    ancient = [one for one in entries.limited(found) if one["manager"] == "ancient-changes"]
    assert {one["apiVersion"]: one["fieldsV1"] for one in ancient} == {
        "v1": {"f:1": {}, "f:3": {}},
        "v0": {"f:2": {}, "f:4": {}},
    }


@pytest.mark.parametrize(
    ("agent", "expect"),
    [
        ("kubectl/v1.37 (linux/amd64)", "kubectl"),
        ("", ""),
        ("a\x00b/1", "ab"),
        ("x" * 200, "x" * 128),
        ("ä" * 100, "ä" * 64),
        ("two words/1", "two words"),
    ],
    ids=["a program", "none", "unprintable", "long", "long in bytes", "a space"],
)
def test_the_manager_of_a_user_agent(agent: str, expect: str):
    assert entries.manager_of(agent) == expect


@pytest.mark.parametrize(
    ("name", "expect"),
    [
        ("kubectl-client-side-apply", []),
        ("ä", []),
        ("x" * 129, ["fieldManager: Too long: may not be more than 128 bytes"]),
        ("a\nb", ['fieldManager: Invalid value: "a\nb": invalid character U+000A (at position 1)']),
    ],
    ids=["plain", "not ASCII", "long", "unprintable"],
)
def test_names_of_managers(name: str, expect: list[str]):
    assert [str(one) for one in entries.validate_manager(name)] == expect


def test_same_but_times_looks_at_owners_not_at_order():
    first = [entry("a"), entry("b")]
    assert entries.same_but_times(first, [entry("b", time="2027-01-01T00:00:00Z"), entry("a")])
    assert not entries.same_but_times(first, [entry("a")])
    assert not entries.same_but_times(first, [entry("a"), entry("b", fields={"f:x": {}})])
    assert not entries.same_but_times(first, [entry("a"), entry("c")])
