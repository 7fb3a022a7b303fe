"""Whether a write fits, and what the quotas say afterwards."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.quotas import charge, evaluators
from tests.api import builders

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def quota(hard, used=None, name="q", **spec):
    status = {} if used is None else {"hard": hard, "used": used}
    return {"metadata": {"name": name}, "spec": {"hard": hard, **spec}, "status": status}


def pod(cpu="", limit="", **spec):
    said = {"requests": {"cpu": cpu} if cpu else {}, "limits": {"cpu": limit} if limit else {}}
    return builders.pod(containers=[{"name": "main", "resources": said}], **spec)


def after(quotas, new, old=None, plural="pods", always=False):
    """`status.used` of every quota that changes, or the reason of the refusal."""
    evaluator = evaluators.of("", plural)
    assert evaluator is not None
    try:
        changed = charge.charge(quotas, evaluator, charge.Write(new, old, always), NOW)
    except charge.Exceeded as why:
        return str(why)
    return {one["metadata"]["name"]: (one.get("status") or {}).get("used") for one in changed}


PODS = {"pods": "5"}
CASES = {
    "no quota about pods": ([quota({"secrets": "1"}, {"secrets": "1"})], pod(), {}),
    "fits": ([quota(PODS, {"pods": "4"})], pod(), {"q": {"pods": "5"}}),
    "full": ([quota(PODS, PODS)], pod(), "exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5"),
    "two too many": (
        [quota({"pods": "1", "cpu": "1"}, {"pods": "1", "cpu": "500m"})],
        pod("600m"),
        "exceeded quota: q, requested: cpu=600m,pods=1, used: cpu=500m,pods=1, limited: cpu=1,pods=1",
    ),
    "says nothing": (
        [quota({"limits.cpu": "1", "requests.cpu": "1"}, {"limits.cpu": "0", "requests.cpu": "0"})],
        pod(),
        "failed quota: q: must specify limits.cpu for: main; requests.cpu for: main",
    ),
    "not counted yet": ([quota(PODS)], pod(), {"q": None}),
    "used is not known": (
        [quota({"pods": "5", "cpu": "1"}, {"pods": "1"})],
        pod("1m"),
        "status unknown for quota: q, resources: cpu,pods",
    ),
    "outside of its scope": ([quota(PODS, PODS, scopes=["Terminating"])], pod(), {}),
    "every quota counts": (
        [quota(PODS, {"pods": "0"}), quota({"pods": "9"}, {"pods": "0"}, "r")],
        pod(),
        {"q": {"pods": "1"}, "r": {"pods": "1"}},
    ),
}


@pytest.mark.parametrize(("quotas", "new", "expect"), CASES.values(), ids=CASES.keys())
def test_new_objects(quotas, new, expect):
    assert after(quotas, new) == expect


def service(kind, *ports):
    return builders.service(type=kind, ports=[{"port": port} for port in ports])


def test_changes_cost_what_they_add():
    full = [quota({"services": "1", "services.nodeports": "2"}, {"services": "1", "services.nodeports": "1"})]
    was = service("NodePort", 1)
    assert after(full, service("NodePort", 1, 2), was, "services") == {
        "q": {"services": "1", "services.nodeports": "2"}
    }
    assert after(full, service("ClusterIP", 1), was, "services") == {}
    assert "exceeded quota" in after(full, service("NodePort", 1, 2, 3), was, "services")


def test_what_comes_into_a_scope_is_counted_whole():
    inside = [quota(PODS, {"pods": "0"}, scopes=["Terminating"])]
    assert after(inside, pod(activeDeadlineSeconds=5), pod()) == {"q": {"pods": "1"}}


def test_what_has_happened_is_counted_anyway():
    assert after([quota(PODS, PODS)], pod(), always=True) == {"q": {"pods": "6"}}


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(0, 30))
def test_never_more_than_the_quota(wanted, hard):
    current = quota({"requests.cpu": str(hard)}, {"requests.cpu": "0"})
    evaluator = evaluators.of("", "pods")
    assert evaluator is not None
    accepted = 0
    for cpu in wanted:
        try:
            [current] = charge.charge([current], evaluator, charge.Write(pod(str(cpu))), NOW)
            accepted += cpu
        except charge.Exceeded:
            assert accepted + cpu > hard
        assert current["status"]["used"]["requests.cpu"] == str(accepted)
        assert accepted <= hard
