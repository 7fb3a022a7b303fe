"""Which nodes a DaemonSet is for."""

from typing import Any

import pytest

from steersman.controllers.daemonset import eligibility
from steersman.controllers.daemonset.eligibility import Eligible


def node(*taints, **labels):
    listed = [{"key": key, "effect": effect} for key, effect in taints]
    return {"metadata": {"name": "n1", "labels": labels}, "spec": {"taints": listed}}


def affinity(*terms):
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": required}}


def expression(operator, *values):
    return {"matchExpressions": [{"key": "zone", "operator": operator, "values": list(values)}]}


YES, NO, STAY = Eligible(True, True), Eligible(False, False), Eligible(False, True)
CASES: Any = {
    "any": ({}, node(), YES),
    "this name": ({"nodeName": "n1"}, node(), YES),
    "another name": ({"nodeName": "n2"}, node(), NO),
    "label": ({"nodeSelector": {"a": "b"}}, node(a="b"), YES),
    "no label": ({"nodeSelector": {"a": "b"}}, node(), NO),
    "in": (affinity(expression("In", "x")), node(zone="x"), YES),
    "not in": (affinity(expression("NotIn", "x")), node(zone="x"), NO),
    "exists": (affinity(expression("Exists")), node(), NO),
    "does not exist": (affinity(expression("DoesNotExist")), node(), YES),
    "greater": (affinity(expression("Gt", "4")), node(zone="5"), YES),
    "less": (affinity(expression("Lt", "4")), node(zone="5"), NO),
    "one of the terms": (affinity(expression("Exists"), expression("DoesNotExist")), node(), YES),
    "empty term": (affinity({}), node(), NO),
    "by field": (affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}), node(), YES),
    "taint": ({}, node(("a", "NoSchedule")), STAY),
    "strong taint": ({}, node(("a", "NoExecute")), NO),
    "weak taint": ({}, node(("a", "PreferNoSchedule")), YES),
    "tolerated": ({"tolerations": [{"key": "a", "operator": "Exists"}]}, node(("a", "NoExecute")), YES),
    "all tolerated": ({"tolerations": [{"operator": "Exists"}]}, node(("a", "NoExecute"), ("b", "NoSchedule")), YES),
    "other effect": ({"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute"}]}, node(("a", "NoSchedule")), STAY),
    "in trouble": (
        {}, node(("node.kubernetes.io/not-ready", "NoExecute"), ("node.kubernetes.io/unschedulable", "NoSchedule")), YES,
    ),
    "without network": ({}, node(("node.kubernetes.io/network-unavailable", "NoSchedule")), STAY),
    "the host's network": ({"hostNetwork": True}, node(("node.kubernetes.io/network-unavailable", "NoSchedule")), YES),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "of", "expect"), CASES.values(), ids=CASES.keys())
def test_eligible(spec, of, expect):
    assert eligibility.of({**spec, "tolerations": eligibility.tolerations(spec)}, of) == expect


def test_a_pod_is_led_to_its_node():
    spec = affinity(expression("Exists"), expression("In", "x"))
    bound = eligibility.bound_to(spec, "n1")
    field = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
    assert bound == affinity(
        {**expression("Exists"), "matchFields": [field]}, {**expression("In", "x"), "matchFields": [field]}
    )
    assert eligibility.target({"spec": bound}) == "n1"
    assert eligibility.target({"spec": eligibility.bound_to({}, "n2")}) == "n2"
    assert eligibility.target({"spec": {"nodeName": "n3"}}) == "n3"
    assert eligibility.target({"spec": {}}) == ""
    assert spec == affinity(expression("Exists"), expression("In", "x"))
