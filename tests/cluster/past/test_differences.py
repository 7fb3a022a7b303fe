"""What changed between two states of an object, in words."""

from typing import Any

import pytest

from steersman.cluster.past import differences


def ready(status: str, reason: str = "", at: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": at}


def container(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, "state": state}


CASES = [
    pytest.param({"spec": {"replicas": 3}}, {"spec": {"replicas": 5}}, ["spec.replicas: 3 → 5"], id="a field"),
    pytest.param(
        {"data": {"a": "1"}},
        {"data": {"b": "2"}},
        ["data.a: 1 → (none)", "data.b: (none) → 2"],
        id="one goes, one comes",
    ),
    pytest.param(
        {"spec": {"containers": [{"name": "main", "image": "a:1"}, {"name": "side", "image": "b"}]}},
        {"spec": {"containers": [{"name": "side", "image": "b"}, {"name": "main", "image": "a:2"}]}},
        ["spec.containers[main].image: a:1 → a:2"],
        id="items of a list by name, wherever they stand",
    ),
    pytest.param(
        {"status": {"conditions": [ready("False", "NotYet")]}},
        {"status": {"conditions": [ready("True")]}},
        ["status.conditions[Ready]: False (NotYet) → True"],
        id="a condition",
    ),
    pytest.param(
        {"status": {"conditions": [ready("True")]}},
        {"status": {"conditions": [ready("True", at="2026-01-01T01:00:00Z")]}},
        [],
        id="a heartbeat says nothing",
    ),
    pytest.param(
        {"status": {"containerStatuses": [container("main", waiting={"reason": "ContainerCreating"})]}},
        {"status": {"containerStatuses": [container("main", terminated={"reason": "Error", "exitCode": 3})]}},
        ["status.containerStatuses[main].state: waiting (ContainerCreating) → terminated (Error, exit code 3)"],
        id="a container's state",
    ),
    pytest.param(
        {"status": {}},
        {"status": {"containerStatuses": [container("main", running={"startedAt": "2026-01-01T00:00:00Z"})]}},
        ["status.containerStatuses[main]: (none) → running"],
        id="a container that was not there",
    ),
    pytest.param(
        {"metadata": {"resourceVersion": "1", "generation": 1}},
        {"metadata": {"resourceVersion": "2", "generation": 2, "managedFields": []}},
        [],
        id="what every write changes says nothing",
    ),
    pytest.param(
        {"kind": "Secret", "data": {"key": "b25l", "old": "eA=="}},
        {"kind": "Secret", "data": {"key": "dHdv", "new": "eQ=="}},
        ["data.key: changed", "data.old: removed", "data.new: added"],
        id="a secret stays one",
    ),
    pytest.param(
        {"spec": {"command": ["a"]}},
        {"spec": {"command": ["a", "b"]}},
        ['spec.command: ["a"] → ["a", "b"]'],
        id="a list of texts",
    ),
    pytest.param(
        {"data": {"a": "x"}}, {"data": {"a": "y" * 200}}, [f"data.a: x → {'y' * 79}…"], id="a long text is cut"
    ),
]


@pytest.mark.parametrize(("before", "after", "expected"), CASES)
def test_each_changed_field_is_a_line(before: Any, after: Any, expected: list[str]) -> None:
    assert differences.told(before, after) == expected


def test_what_comes_or_goes_altogether_is_not_told_field_by_field() -> None:
    assert differences.told(None, {"a": 1}) == differences.told({"a": 1}, None) == []
