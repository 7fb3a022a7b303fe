"""What roles and bindings must become, case by case."""

from typing import Any

import pytest

from steersman.kubectl import rbac_reconciling

READ = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
BOB, EVE = ({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name} for name in ("bob", "eve"))


def role(*rules: Any, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r", **metadata}, "rules": list(rules)}


def binding(*subjects: Any, to: str = "view") -> dict[str, Any]:
    reference = {"kind": "ClusterRole", "apiGroup": "rbac.authorization.k8s.io", "name": to}
    return {"metadata": {"name": "b"}, "roleRef": reference, "subjects": list(subjects)}


def rule(verb: str, resource: str = "pods") -> dict[str, Any]:
    return {"verbs": [verb], "apiGroups": [""], "resources": [resource]}


@pytest.mark.parametrize(
    ("existing", "wanted", "remove", "operation", "missing", "extra"),
    [
        (None, role(READ), False, "create", [READ], []),
        (role(READ), role(READ), False, "", [], []),
        (role(rule("get"), rule("list")), role(READ), True, "", [], []),
        (role(rule("get")), role(READ), False, "update", [rule("list")], []),
        (role(READ), role(rule("get")), False, "", [], [rule("list")]),
        (role(READ), role(rule("get")), True, "update", [], [rule("list")]),
        (role(ALL), role(READ), False, "", [], [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]),
        (role(READ, labels={"a": "b"}), role(READ, labels={"a": "c", "d": "e"}), False, "update", [], []),
        (binding(BOB), binding(EVE), False, "update", [EVE], [BOB]),
        (binding(BOB), binding(BOB, to="edit"), False, "recreate", [], []),
    ],
)
def test_decisions(existing: Any, wanted: Any, remove: bool, operation: str, missing: Any, extra: Any) -> None:
    result = rbac_reconciling.decide(existing, wanted, remove_extra=remove)
    assert (result.operation, list(result.missing), list(result.extra)) == (operation, missing, extra)
    if operation in ("", "update"):
        again = rbac_reconciling.decide(result.object, wanted, remove_extra=remove)
        assert again.operation == ""


def test_labels_of_the_server_stay() -> None:
    result = rbac_reconciling.decide(role(labels={"a": "b"}), role(labels={"a": "c", "d": "e"}), remove_extra=False)
    assert result.object["metadata"]["labels"] == {"a": "b", "d": "e"}


def test_an_object_that_opted_out() -> None:
    notes = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    assert rbac_reconciling.decide(role(annotations=notes), role(READ), remove_extra=False).is_protected


@pytest.mark.parametrize(
    ("owner", "asked", "left"),
    [
        (
            {"nonResourceURLs": ["/healthz*"], "verbs": ["get"]},
            {"nonResourceURLs": ["/healthz/x"], "verbs": ["get"]},
            0,
        ),
        ({**READ, "resources": ["*/log"]}, {**READ, "resources": ["pods/log"]}, 0),
        ({**READ, "resources": ["pods"]}, {**READ, "resources": ["pods/log"]}, 2),
        ({**READ, "resourceNames": ["a"]}, READ, 2),
        (READ, {**READ, "resourceNames": ["a"]}, 0),
        ({**READ, "resourceNames": ["a"]}, {**READ, "resourceNames": ["a", "b"]}, 2),
    ],
)
def test_what_a_rule_covers(owner: Any, asked: Any, left: int) -> None:
    assert len(list(rbac_reconciling.uncovered([owner], [asked]))) == left
