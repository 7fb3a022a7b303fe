"""Server-side apply: by hand in upstream's words, by chance for what must always hold."""

from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st

from steersman.api.managed_fields import compiling, entries, sets, updating
from steersman.api.patches import apply
from steersman.meta import errors
from steersman.meta.objects import Object
from tests.api.managed_fields import widgets
from tests.api.managed_fields.widgets import WIDGET, widget

State = tuple[Object, list[entries.Entry]]
NOTHING: State = ({}, [])


def by(manager: str, time: str = "1") -> updating.Writer:
    return updating.Writer(manager, time)


def applied(
    state: State, manager: str, spec: Object, *, force: bool = False, time: str = "1", meta: Any = None
) -> State:
    wanted = widget(**spec) if meta is None else {**widget(**spec), "metadata": {**widgets.NAME, **meta}}
    return apply.applied(WIDGET, state[0], wanted, state[1], by(manager, time), force=force, convert=widgets.convert)


def updated(state: State, manager: str, spec: Object) -> State:
    new = widget(**spec)
    after = updating.updated(WIDGET, state[0], new, state[1], by(manager)) if state[0] else None
    return new, updating.created(WIDGET, new, by(manager)) if after is None else after


def owners(state: State) -> dict[str, list[str]]:
    return {
        f"{one['manager']} {one['operation']}": [sets.text(path) for path in sets.paths(one["fieldsV1"])]
        for one in state[1]
    }


def spec_of(state: State) -> Object:
    found: Object = state[0].get("spec") or {}
    return found


def test_who_applies_owns_what_it_applied():
    state = applied(NOTHING, "ci", {"number": 1, "labels": {"a": "b"}})
    assert state[0] == widget(number=1, labels={"a": "b"})
    assert owners(state) == {"ci Apply": [".spec.number", ".spec.labels.a"]}


def test_what_is_applied_no_more_goes():
    state = applied(NOTHING, "ci", {"number": 1, "labels": {"a": "b", "c": "d"}, "rules": [{"name": "r", "value": 1}]})
    state = applied(state, "ci", {"labels": {"c": "d"}})
    assert spec_of(state) == {"labels": {"c": "d"}}
    assert owners(state) == {"ci Apply": [".spec.labels.c"]}


def test_what_somebody_else_owns_too_stays():
    state = applied(applied(NOTHING, "a", {"number": 1, "text": "x"}), "b", {"number": 1})
    state = applied(state, "a", {"text": "x"})
    assert spec_of(state) == {"number": 1, "text": "x"}
    assert owners(state) == {"a Apply": [".spec.text"], "b Apply": [".spec.number"]}
    assert spec_of(applied(state, "b", {})) == {"text": "x"}


def test_what_an_update_set_stays_when_its_applier_leaves_it_out():
    state = updated(applied(NOTHING, "a", {"labels": {"a": "1"}}), "b", {"labels": {"a": "2"}})
    assert owners(state) == {"b Update": [".spec.labels.a"]}
    assert spec_of(applied(state, "a", {"number": 1})) == {"number": 1, "labels": {"a": "2"}}


def test_an_item_with_fields_of_others_stays_with_them():
    state = applied(NOTHING, "a", {"rules": [{"name": "r", "value": 1}]})
    state = applied(state, "b", {"rules": [{"name": "r", "kind": "plain"}]})
    state = applied(state, "a", {})
    assert spec_of(state) == {"rules": [{"name": "r", "kind": "plain"}]}


def test_an_item_that_goes_takes_along_what_others_changed_in_it():
    state = applied(NOTHING, "a", {"rules": [{"name": "r", "value": 1}]})
    state = updated(state, "b", {"rules": [{"name": "r", "value": 2}]})
    state = applied(state, "a", {"number": 1})
    assert spec_of(state) == {"number": 1}
    assert owners(state) == {"a Apply": [".spec.number"]}


def refusal(state: State, manager: str, spec: Object, **more: Any) -> Object:
    with pytest.raises(errors.StatusError) as raised:
        applied(state, manager, spec, **more)
    return raised.value.status


def test_one_conflict():
    state = updated(NOTHING, "kubectl", {"number": 1})
    assert refusal(state, "ci", {"number": 2}) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Apply failed with 1 conflict: conflict with "kubectl" using example.com/v1: .spec.number',
        "reason": "Conflict",
        "details": {
            "causes": [
                {
                    "reason": "FieldManagerConflict",
                    "message": 'conflict with "kubectl" using example.com/v1',
                    "field": ".spec.number",
                }
            ]
        },
        "code": 409,
    }


def test_several_conflicts():
    state = applied(NOTHING, "b", {"text": "x", "rules": [{"name": "r", "value": 1}]})
    state = applied(state, "a", {"number": 1})
    found = refusal(state, "ci", {"number": 2, "text": "y", "rules": [{"name": "r", "value": 2}]})
    assert found["message"] == (
        "Apply failed with 3 conflicts: "
        'conflicts with "a":\n- .spec.number\n'
        'conflicts with "b":\n- .spec.text\n- .spec.rules[kind="plain",name="r"].value'
    )


def test_a_subresource_is_named():
    state = (widget(number=1), [entries.make("hpa", "Update", "example.com/v1", "scale", {"f:spec": {"f:number": {}}})])
    assert refusal(state, "ci", {"number": 2})["message"] == (
        'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using example.com/v1: .spec.number'
    )


def test_the_same_value_is_no_conflict_but_shared():
    state = applied(updated(NOTHING, "kubectl", {"number": 1}), "ci", {"number": 1})
    assert owners(state) == {"ci Apply": [".spec.number"], "kubectl Update": [".spec", ".spec.number"]}


def test_an_object_nobody_kept_account_of_was_there_before():
    state: State = widget(number=1, text="x"), []
    assert '"before-first-apply" using' in refusal(state, "ci", {"number": 2})["message"]
    state = applied(state, "ci", {"number": 2}, force=True)
    assert owners(state) == {"ci Apply": [".spec.number"], "before-first-apply Update": [".spec", ".spec.text"]}


REFUSED: dict[str, Any] = {
    "other version": ({"apiVersion": "example.com/v9"}, "invalid object type: example.com/v9, Kind=Widget"),
    "other kind": ({"kind": "Gadget"}, "invalid object type: example.com/v1, Kind=Gadget"),
    "no type": ({"apiVersion": None, "kind": None}, "invalid object type: /, Kind="),
    "managed fields": ({"metadata": {"name": "a", "managedFields": [{}]}}, "metadata.managedFields must be nil"),
    "unknown field": (
        {"spec": {"nope": 1}},
        "failed to create typed patch object (/a; example.com/v1, Kind=Widget): .spec.nope: field not declared in schema",
    ),
    "two mistakes": (
        {"spec": {"number": "x", "text": 1}},
        "failed to create typed patch object (/a; example.com/v1, Kind=Widget): errors:\n"
        "  .spec.number: expected numeric (int or float), got string\n"
        "  .spec.text: expected string, got &value.valueUnstructured{Value:1}",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(case: Any):
    with pytest.raises(errors.StatusError) as raised:
        apply.applied(WIDGET, {}, {**widget(), **case[0]}, [], by("ci"))
    assert (raised.value.code, raised.value.status["message"]) == (400, case[1])


def test_nesting_without_end_is_refused():
    deep: Any = {}
    for _ in range(2000):
        deep = {"a": deep}
    with pytest.raises(errors.StatusError) as raised:
        applied(NOTHING, "ci", {"free": deep})
    assert raised.value.status["message"] == "exceeded max depth"
    assert updating.created(WIDGET, widget(free=deep), by("ci")) == []


# From client-side to server-side apply


def client_side(spec: Object) -> State:
    """As kubectl's client-side apply leaves an object."""
    text = orjson.dumps(widget(**spec)).decode()
    obj = {**widget(**spec), "metadata": {**widgets.NAME, "annotations": {apply.LAST_APPLIED: text}}}
    return obj, updating.created(WIDGET, obj, by("kubectl-client-side-apply"))


def test_kubectl_takes_over_what_client_side_apply_wrote():
    state = applied(client_side({"number": 1, "text": "x"}), "kubectl", {"number": 2, "text": "x"}, meta={})
    assert spec_of(state) == {"number": 2, "text": "x"}
    last = orjson.loads(state[0]["metadata"]["annotations"][apply.LAST_APPLIED])
    assert last == widget(number=2, text="x")


def test_kubectl_does_not_take_over_what_somebody_changed_since():
    obj, found = client_side({"number": 1, "text": "x"})
    changed = {**obj, "spec": {"number": 5, "text": "x"}}
    state = changed, updating.updated(WIDGET, obj, changed, found, by("hpa"))
    message = refusal(state, "kubectl", {"number": 2, "text": "y"}, meta={})["message"]
    assert message == 'Apply failed with 1 conflict: conflict with "hpa" using example.com/v1: .spec.number'


def test_other_managers_do_not_take_over():
    assert (
        "2 conflicts"
        in refusal(client_side({"number": 1, "text": "x"}), "ci", {"number": 2, "text": "y"}, meta={})["message"]
    )


# Always


def say(state: State, manager: str, operation: str, spec: Object) -> State:
    if operation == "update":
        return updated(state, manager, spec)
    return applied(state, manager, spec, force=True)


WRITES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["apply", "update"]), widgets.SPECS), max_size=4)


def after(writes: list[tuple[str, str, Object]]) -> State:
    state = NOTHING
    for manager, operation, spec in writes:
        state = say(state, manager, operation, spec)
    return state


@hypothesis.given(WRITES, widgets.SPECS)
def test_applying_twice_changes_nothing(writes: list[tuple[str, str, Object]], spec: Object):
    once = applied(after(writes), "ci", spec, force=True)
    twice = applied(once, "ci", spec, time="2")
    assert twice[0] == once[0]
    assert entries.same_but_times(once[1], twice[1])


@hypothesis.given(WRITES, widgets.SPECS)
def test_force_takes_over(writes: list[tuple[str, str, Object]], spec: Object):
    state = applied(after(writes), "ci", spec, force=True)
    assert WIDGET.root.merge(state[0], widget(**spec)) == state[0], "everything that was applied is there"
    mine = updating.strip(WIDGET.root.fields(widget(**spec)) or {})
    assert next((one["fieldsV1"] for one in state[1] if one["manager"] == "ci"), {}) == mine


@hypothesis.given(WRITES, widgets.SPECS)
def test_owned_fields_are_there(writes: list[tuple[str, str, Object]], spec: Object):
    state = applied(after(writes), "ci", spec, force=True)
    there = sets.union(WIDGET.root.whole(state[0]), WIDGET.root.fields(state[0]) or {})
    for one in state[1]:
        assert sets.difference(one["fieldsV1"], there) == {}


@hypothesis.given(widgets.specs("xyz"), widgets.specs("uvw"))
def test_disjoint_managers_never_conflict_and_their_order_does_not_matter(first: Object, second: Object):
    hypothesis.assume(first)
    there = applied(applied(NOTHING, "a", first), "b", second)
    back = applied(applied(NOTHING, "b", second), "a", first)
    assert WIDGET.root.fields(there[0]) == WIDGET.root.fields(back[0])
    assert entries.same_but_times(there[1], back[1])
    assert WIDGET.root.fields(applied(there, "b", {})[0]) == WIDGET.root.fields(applied(NOTHING, "a", first)[0])


@hypothesis.given(WRITES)
def test_who_applies_nothing_leaves_nothing_behind_that_it_alone_owned(writes: list[tuple[str, str, Object]]):
    state = after(writes)
    mine = next(
        (one["fieldsV1"] for one in state[1] if one["manager"] == "a" and one["operation"] == "Apply"), sets.EMPTY
    )
    others = sets.EMPTY
    for one in state[1]:
        if not (one["manager"] == "a" and one["operation"] == "Apply"):
            others = sets.union(others, one["fieldsV1"])
    left = applied(state, "a", {})
    still = WIDGET.root.named(WIDGET.root.fields(left[0]) or {})
    alone = WIDGET.root.named(sets.difference(mine, WIDGET.root.named(others)))
    leaves = [path for path in sets.paths(alone) if path in set(sets.paths(mine)) and path != ("f:spec",)]
    for path in leaves:
        below = [other for other in sets.paths(still) if other[: len(path)] == path and other != path]
        assert not sets.has(still, path) or below, sets.text(path)


# Several versions of a kind


def test_a_manager_of_another_version_keeps_what_it_owns():
    other = entries.make("old", "Apply", widgets.V2.api_version, "", sets.of(("f:spec", "f:count")), "0")
    state = (widget(number=1, text="x"), [other])
    assert '"old": .spec.count' in refusal(state, "ci", {"number": 2})["message"]
    shared = applied(state, "ci", {"number": 1})
    assert spec_of(applied(shared, "ci", {})) == {"number": 1, "text": "x"}


def test_a_manager_may_go_on_in_another_version():
    before = entries.make(
        "ci", "Apply", widgets.V2.api_version, "", sets.of(("f:spec", "f:count"), ("f:spec", "f:text")), "0"
    )
    state = applied((widget(number=1, text="x"), [before]), "ci", {"number": 2})
    assert spec_of(state) == {"number": 2}
    assert owners(state) == {"ci Apply": [".spec.number"]}


def test_a_manager_of_another_version_keeps_nothing_else():
    fields = sets.of(("f:spec",), ("f:spec", "f:count"), ("f:spec", "f:labels"), ("f:spec", "f:labels", "f:b"))
    other = entries.make("old", "Update", widgets.V2.api_version, "", fields, "0")
    state = applied((widget(number=1, labels={"b": "1"}), [other]), "ci", {"text": "x", "labels": {"a": "1"}})
    assert spec_of(applied(state, "ci", {})) == {"number": 1, "labels": {"b": "1"}}


def test_a_version_that_is_gone_owns_nothing():
    gone = entries.make("old", "Apply", "example.com/v0", "", {"f:spec": {"f:number": {}}}, "0")
    state = applied((widget(number=1), [gone]), "ci", {"number": 2})
    assert owners(state) == {"ci Apply": [".spec.number"]}


def test_kinds_without_a_schema_merge_maps_and_replace_lists():
    free = compiling.of_schema("Thing", "example.com/v1", None)
    one = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "x": {"a": [1], "b": 1}}
    state = apply.applied(free, {}, one, [], by("a"))
    two = {**one, "x": {"c": {"d": 1}}}
    new, found = apply.applied(free, state[0], two, state[1], by("b"))
    assert new["x"] == {"a": [1], "b": 1, "c": {"d": 1}}
    assert [one["fieldsV1"]["f:x"] for one in found] == [
        {".": {}, "f:a": {}, "f:b": {}},
        {".": {}, "f:c": {".": {}, "f:d": {}}},
    ]
