"""Taints as the command line writes them."""

import pytest

from steersman.kubectl import taints
from steersman.kubectl.problems import Several
from steersman.kubectl.taints import Taint


@pytest.mark.parametrize(
    ("texts", "added", "removed"),
    [
        (["a=b:NoSchedule"], [Taint("a", "b", "NoSchedule")], []),
        (["a:NoExecute"], [Taint("a", "", "NoExecute")], []),
        (["a-"], [], [Taint("a")]),
        (["a=b:NoSchedule-", "c:NoExecute-"], [], [Taint("a", "", "NoSchedule"), Taint("c", "", "NoExecute")]),
        (["a=b:NoSchedule", "a=b:NoExecute"], [Taint("a", "b", "NoSchedule"), Taint("a", "b", "NoExecute")], []),
    ],
)
def test_parse(texts: list[str], added: list[Taint], removed: list[Taint]) -> None:
    assert taints.parse(texts) == (added, removed)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a=b:Maybe", "invalid taint effect: Maybe, unsupported taint effect"),
        ("a:b:c", "invalid taint spec: a:b:c"),
        ("a=b=c:NoSchedule", "invalid taint spec: a=b=c:NoSchedule"),
        ("a", "invalid taint spec: a"),
        ("a=b", "invalid taint spec: a=b, name part must consist of"),
        ("-a:NoSchedule", "invalid taint spec: -a:NoSchedule, name part must consist of"),
        ("a=-b:NoSchedule", "invalid taint spec: a=-b:NoSchedule, a valid label must be"),
    ],
)
def test_what_is_no_taint(text: str, why: str) -> None:
    with pytest.raises(taints.TaintError) as refused:
        taints.parse([text])
    assert str(refused.value).startswith(why)


def test_the_same_taint_twice() -> None:
    with pytest.raises(
        taints.TaintError, match=r"duplicated taints with the same key and effect: \{a c NoSchedule <nil>\}"
    ):
        taints.parse(["a=b:NoSchedule", "a=c:NoSchedule"])


def test_what_is_both_added_and_removed() -> None:
    added, removed = taints.parse(["a=b:NoSchedule", "c:NoExecute", "a-", "c:NoSchedule-"])
    assert taints.conflicts(added, removed) == ["a="]


OLD = {"key": "old", "value": "1", "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("texts", "overwrite", "operation", "after"),
    [
        (["a=b:NoSchedule"], False, "tainted", [{"key": "a", "value": "b", "effect": "NoSchedule"}, OLD]),
        (["old-"], False, "untainted", []),
        (["old:NoSchedule-"], False, "untainted", []),
        (["old=2:NoSchedule"], True, "modified", [{"key": "old", "value": "2", "effect": "NoSchedule"}]),
        (["a:NoSchedule", "old-"], False, "modified", [{"key": "a", "effect": "NoSchedule"}]),
    ],
)
def test_change(texts: list[str], overwrite: bool, operation: str, after: list[dict[str, str]]) -> None:
    added, removed = taints.parse(texts)
    node = {"metadata": {"name": "n"}, "spec": {"taints": [OLD]}}
    assert taints.change(node, added, removed, overwrite=overwrite) == (operation, after)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["old=2:NoSchedule"], "node n already has old taint(s) with same effect(s) and --overwrite is false"),
        (["x-"], 'taint "x" not found'),
        (["x-", "y:NoExecute-"], '[taint "x" not found, taint "y:NoExecute" not found]'),
    ],
)
def test_refusals(texts: list[str], why: str) -> None:
    added, removed = taints.parse(texts)
    with pytest.raises((taints.TaintError, Several)) as refused:
        taints.change({"metadata": {"name": "n"}, "spec": {"taints": [OLD]}}, added, removed, overwrite=False)
    assert str(refused.value) == why
