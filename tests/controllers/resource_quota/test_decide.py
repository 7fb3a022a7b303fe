"""What a quota says after it was counted."""

from steersman.api import kinds
from steersman.api.quotas import evaluators
from steersman.controllers.resource_quota import decide
from tests.api import builders
from tests.controllers import shapes

PODS = ("", "pods")


def quota(hard, status=None, **spec):
    meta = {"name": "q", "namespace": "default", "uid": "q", "resourceVersion": "1"}
    return {"metadata": meta, "spec": {"hard": hard, **spec}, "status": status or {}}


def told(found, contents):
    """The status that is written; None when nothing is."""
    actions = decide.decide(decide.Seen(found, contents, shapes.NOW)).actions
    assert len(actions) <= 1
    return actions[0].obj["status"] if actions else None  # type: ignore[union-attr]


def pods(count, **spec):
    return [builders.pod(f"p{number}", **spec) for number in range(count)]


def test_the_first_count():
    assert told(quota({"pods": "5", "secrets": "3"}), {PODS: pods(2), ("", "secrets"): []}) == {
        "hard": {"pods": "5", "secrets": "3"},
        "used": {"pods": "2", "secrets": "0"},
    }


def test_counting_again_changes_nothing():
    status = {"hard": {"cpu": "1"}, "used": {"cpu": "0.5"}}
    busy = [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]
    assert told(quota({"cpu": "1"}, status), {PODS: pods(1, containers=busy)}) is None


def test_what_is_limited_no_more_is_forgotten():
    status = {"hard": {"pods": "5", "secrets": "1"}, "used": {"pods": "0", "secrets": "1"}}
    assert told(quota({"pods": "5"}, status), {PODS: []}) == {"hard": {"pods": "5"}, "used": {"pods": "0"}}


def test_what_nobody_serves_is_not_known():
    assert told(quota({"count/x.example.com": "1"}), {}) == {"hard": {"count/x.example.com": "1"}, "used": {}}


def test_only_what_is_in_scope():
    found = [*pods(2), *pods(3, activeDeadlineSeconds=5)]
    assert told(quota({"pods": "9"}, scopes=["Terminating"]), {PODS: found})["used"] == {"pods": "3"}


def test_every_kind_of_a_namespace_is_counted():
    uncounted = {kind.resource for kind in kinds.BUILTIN if not evaluators.of(kind.group, kind.plural)}
    assert uncounted == {"events", "events.events.k8s.io", "bindings"}
