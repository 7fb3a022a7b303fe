"""Who owns what after writes that are no apply, by hand and by chance."""

import hypothesis
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.api.managed_fields import compiling, entries, scale, sets, updating
from steersman.meta.objects import Object
from tests.api.managed_fields import widgets
from tests.api.managed_fields.widgets import WIDGET, widget

DEPLOYMENT = compiling.of_kind(kinds.DEPLOYMENT)


def by(manager: str, time: str = "1", subresource: str = "", reset: sets.Set = sets.EMPTY) -> updating.Writer:
    return updating.Writer(manager, time, subresource, reset)


def owners(found: list[entries.Entry]) -> dict[str, list[str]]:
    """manager → the fields it owns, as text."""
    return {one["manager"]: [sets.text(path) for path in sets.paths(one["fieldsV1"])] for one in found}


def test_the_creator_owns_what_it_said_but_not_what_identifies_the_object():
    obj: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": {"x": "y"}}}
    obj["spec"] = {
        "replicas": 1,
        "template": {"spec": {"containers": [{"name": "m"}]}},
        "strategy": {"rollingUpdate": {}},
    }
    found = updating.created(DEPLOYMENT, obj, by("me"))
    assert found == [
        entries.make(
            "me",
            "Update",
            "apps/v1",
            "",
            {
                "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
                "f:spec": {
                    "f:replicas": {},
                    "f:template": {"f:spec": {"f:containers": {'k:{"name":"m"}': {".": {}, "f:name": {}}}}},
                    "f:strategy": {"f:rollingUpdate": {}},
                },
            },
            "1",
        )
    ]


def test_what_the_kind_resets_is_nobodys():
    obj = {**widget(number=1), "status": {"phase": "x"}}
    found = updating.created(WIDGET, obj, by("me", reset=sets.of(("f:status",))))
    assert owners(found) == {"me": [".spec", ".spec.number"]}


def test_who_changes_a_field_owns_it():
    first = updating.created(WIDGET, widget(number=1, text="x"), by("a"))
    after = updating.updated(WIDGET, widget(number=1, text="x"), widget(number=2, text="x"), first, by("b", "2"))
    assert owners(after) == {"a": [".spec", ".spec.text"], "b": [".spec.number"]}
    assert [one["time"] for one in after] == ["1", "2"]


def test_a_removed_field_is_nobodys_and_its_remover_gets_no_entry():
    first = updating.created(WIDGET, widget(number=1, text="x"), by("a"))
    after = updating.updated(WIDGET, widget(number=1, text="x"), widget(number=1), first, by("b", "2"))
    assert owners(after) == {"a": [".spec", ".spec.number"]}
    assert after[0]["time"] == "1"


def test_who_owns_nothing_more_has_no_entry():
    first = updating.created(WIDGET, widget(number=1), by("a"))
    more = updating.updated(WIDGET, widget(number=1), widget(number=1, text="x"), first, by("b", "2"))
    after = updating.updated(WIDGET, widget(number=1, text="x"), widget(number=1, text="y"), more, by("a", "3"))
    assert owners(after) == {"a": [".spec", ".spec.number", ".spec.text"]}


def test_a_write_that_changes_nothing_keeps_the_very_entries():
    first = updating.created(WIDGET, widget(number=1), by("a"))
    assert updating.updated(WIDGET, widget(number=1), widget(number=1), first, by("b", "2")) is first


def test_an_object_nobody_kept_account_of_stays_so():
    assert updating.updated(WIDGET, widget(number=1), widget(number=2), [], by("b")) == []


def test_entries_of_versions_that_are_gone_are_dropped():
    old = entries.make("old", "Update", "example.com/v0", "", {"f:spec": {"f:text": {}}}, "0")
    first = [*updating.created(WIDGET, widget(number=1), by("a")), old]
    after = updating.updated(WIDGET, widget(number=1), widget(number=2), first, by("a", "2"))
    assert owners(after) == {"a": [".spec", ".spec.number"]}


def test_entries_of_another_version_follow_the_object_there():
    other = entries.make("other", "Update", widgets.V2.api_version, "", sets.of(("f:spec", "f:count")), "0")
    first = [*updating.created(WIDGET, widget(text="x"), by("a")), other]
    was, now = widget(number=1, text="x"), widget(number=2, text="x")
    after = updating.updated(WIDGET, was, now, first, by("a", "2"), widgets.convert)
    assert owners(after) == {"a": [".spec", ".spec.number", ".spec.text"]}
    kept = updating.updated(WIDGET, was, widget(number=1, text="y"), first, by("a", "2"), widgets.convert)
    assert owners(kept)["other"] == [".spec.count"]


def test_a_value_without_a_key_keeps_the_entries_as_they_were():
    first = updating.created(WIDGET, widget(number=1), by("a"))
    assert updating.updated(WIDGET, widget(number=1), widget(rules=[{"value": 1}]), first, by("b")) is first
    assert updating.created(WIDGET, widget(rules=[{"value": 1}]), by("b")) == []


@hypothesis.given(st.lists(st.tuples(st.sampled_from("abc"), widgets.SPECS), min_size=1, max_size=5))
def test_entries_own_what_is_there_each_leaf_has_one_owner(writes: list[tuple[str, Object]]):
    manager, spec = writes[0]
    obj = widget(**spec)
    found = updating.created(WIDGET, obj, by(manager))
    for manager, spec in writes[1:]:
        new = widget(**spec)
        found = updating.updated(WIDGET, obj, new, found, by(manager))
        obj = new
    there = set(sets.paths(WIDGET.root.whole(obj)))
    owned = [path for one in found for path in sets.paths(one["fieldsV1"])]
    assert set(owned) <= there
    assert len(owned) == len(set(owned)), "updates share nothing"
    assert found == entries.read(found), "entries are in their one form"


@hypothesis.given(widgets.SPECS)
def test_the_creator_owns_everything(spec: Object):
    obj = widget(**spec)
    found = updating.created(WIDGET, obj, by("a"))
    everything = {path for path in sets.paths(WIDGET.root.whole(obj)) if path[0] == "f:spec"}
    assert {path for one in found for path in sets.paths(one["fieldsV1"])} == everything


# Scale

REPLICAS = sets.of(("f:spec", "f:replicas"))
APPLIER = entries.make("ci", "Apply", "apps/v1", "", sets.union(REPLICAS, sets.of(("f:spec", "f:paused"))), "1")
OTHER = entries.make("other", "Update", "apps/v1", "", sets.of(("f:spec", "f:paused")), "1")


def test_the_scale_shows_who_owns_the_replicas():
    assert scale.to_scale([APPLIER, OTHER]) == [
        entries.make("ci", "Apply", "autoscaling/v1", "", REPLICAS, "1"),
    ]


def test_who_scales_takes_the_replicas_and_nothing_else():
    scaler = entries.make("hpa", "Update", "autoscaling/v1", "scale", REPLICAS, "2")
    after = scale.to_object([APPLIER, OTHER], [scaler], "apps/v1")
    assert after == entries.ordered([
        entries.with_fields(APPLIER, sets.of(("f:spec", "f:paused"))),
        OTHER,
        entries.make("hpa", "Update", "apps/v1", "scale", REPLICAS, "2"),
    ])  # fmt: skip


def test_a_scale_that_changed_no_owner_changes_no_entry():
    before = [APPLIER, OTHER]
    assert scale.to_object(before, scale.to_scale(before), "apps/v1") is before
