"""Why each node would do for a pod, or not."""

from typing import Any

from steersman.meta.objects import Object
from steersman.scheduler import explain
from tests.scheduler.builders import node, pod


def verdict(wanted: Object, **objects_of: Any) -> explain.Verdict:
    return explain.verdict(wanted, lambda kind: objects_of.get(kind.plural, ()))


def test_every_reason_against_each_node_is_told() -> None:
    full = node("full", cpu="1", memory="1Gi")
    tainted = node("tainted", cpu="8", memory="8Gi", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    roomy = node("roomy", cpu="8", memory="8Gi")
    there = pod("there", cpu="1", memory="1Gi", on="full")
    found = verdict(pod("new", cpu="500m", memory="512Mi"), nodes=[full, tainted, roomy], pods=[there])
    assert found.possible == ["roomy"]
    assert found.refusals == {
        "full": ["Insufficient cpu", "Insufficient memory"],
        "tainted": ["node(s) had untolerated taint(s)"],
    }


def test_a_pod_does_not_stand_in_its_own_way() -> None:
    placed = pod("web", cpu="1", on="only")
    assert verdict(placed, nodes=[node("only", cpu="1")], pods=[placed]).possible == ["only"]


def test_what_rules_out_all_nodes_is_told_of_each() -> None:
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "nowhere"}}
    found = verdict(pod("web", volumes=[claim]), nodes=[node("one"), node("two")])
    assert found.possible == []
    missing = ['persistentvolumeclaim "nowhere" not found']
    assert found.refusals == {"one": missing, "two": missing}


def test_nodes_with_the_same_reasons_stand_together() -> None:
    refusals = {f"n{number}": ["Insufficient cpu", "Insufficient memory"] for number in range(7)} | {"m": ["too far"]}
    assert explain.in_words(refusals) == [
        "not n0, n1, n2, n3, n4 and 2 more nodes: Insufficient cpu; Insufficient memory",
        "not m: too far",
    ]
