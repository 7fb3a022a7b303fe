"""Rates from two looks at counters."""

import datetime

import pytest

from steersman.apiserver.resource_metrics import answers, usage
from steersman.apiserver.resource_metrics.usage import Counter, Reading, Use

NOW = datetime.datetime(2026, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)
OLD, YOUNG = "2026-01-01T10:00:00Z", "2026-01-01T11:59:50Z"
KEY = ("default", "p", "main")


def reading(cpu_ns, *, at=0.0, started=OLD, memory=1 << 20):
    return Reading(NOW + datetime.timedelta(seconds=at), {KEY: Counter(cpu_ns, memory, started)})


CASES = {
    "twice": (reading(10**9, at=-10), reading(2 * 10**9), Use(10**8, 1 << 20, 10.0)),
    "once, old": (None, reading(10**9), None),
    "once, young": (None, reading(10**9, started=YOUNG), Use(10**8, 1 << 20, 10.0)),
    "another container of the name": (reading(10**9, at=-10), reading(5, started=YOUNG), Use(0, 1 << 20, 10.0)),
    "too long ago": (reading(10**9, at=-90), reading(2 * 10**9), None),
    "too close": (reading(10**9, at=-0.1), reading(2 * 10**9), None),
}


@pytest.mark.parametrize(("before", "after", "expect"), CASES.values(), ids=CASES.keys())
def test_uses(before, after, expect):
    assert usage.uses(before, after) == ({KEY: expect} if expect else {})
    assert usage.needs_another_look(before, after) == (expect is None)


def test_a_summary_is_read():
    container = {
        "name": "main",
        "startTime": OLD,
        "cpu": {"usageCoreNanoSeconds": 7},
        "memory": {"workingSetBytes": 9},
    }
    summary = {
        "node": {"systemContainers": [{"name": "kubelet", "cpu": {"usageCoreNanoSeconds": 1}}, {"name": "pods"}]},
        "pods": [{"podRef": {"name": "p", "namespace": "default"}, "containers": [container]}, {"podRef": {}}],
    }
    assert usage.read(summary, NOW).counters == {("", "", "kubelet"): Counter(1, 0, ""), KEY: Counter(7, 9, OLD)}


def test_what_is_told_of_a_pod():
    pod = {"metadata": {"name": "p", "namespace": "default", "labels": {"a": "b"}}}
    found = reading(10**9)
    told = answers.pod_metrics(pod, found, {KEY: Use(1_500_000, 5000, 75.0231)}, NOW)
    assert told == {
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {
            "name": "p", "namespace": "default", "creationTimestamp": "2026-01-01T12:00:00Z", "labels": {"a": "b"},
        },
        "timestamp": "2026-01-01T12:00:00Z",
        "window": "1m15.023s",
        "containers": [{"name": "main", "usage": {"cpu": "1500u", "memory": "4Ki"}}],
    }  # fmt: skip
    assert answers.pod_metrics(pod, found, {}, NOW) is None


def test_a_node_uses_what_its_containers_and_its_kubelet_use():
    uses = {KEY: Use(10**8, 1 << 20, 10.0), ("", "", "kubelet"): Use(10**7, 1 << 20, 10.0)}
    told = answers.node_metrics({"metadata": {"name": "n"}}, reading(1), uses, NOW)
    assert (told["usage"], told["window"]) == ({"cpu": "110m", "memory": "2Mi"}, "10s")
