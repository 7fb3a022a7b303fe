"""Evictions ask the pod's disruption budget."""

import asyncio
import datetime
from typing import Any

import pytest

from steersman.apiserver.subresources import eviction
from steersman.meta import conditions, errors
from tests.apiserver import kit
from tests.apiserver.kit import MERGE, PODS

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
REFUSAL = "Cannot evict pod as it would violate the pod's disruption budget."


def pod(phase="Running", ready=True, **meta):
    told = [{"type": "Ready", "status": "True" if ready else "False"}]
    made = {"name": "p", "namespace": "default", "labels": {"app": "web"}, "resourceVersion": "7", **meta}
    return {"metadata": made, "status": {"phase": phase, "conditions": told}}


def budget(allowed=1, healthy=3, desired=2, name="b", observed=1, selector="web", **spec):
    status = {
        "observedGeneration": observed, "disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": desired,
    }  # fmt: skip
    meta = {"name": name, "namespace": "default", "generation": 1}
    return {"metadata": meta, "spec": {"selector": {"matchLabels": {"app": selector}}, **spec}, "status": status}


GRANTED = {
    "no budget": (pod(), [], False),
    "another's budget": (pod(), [budget(0, selector="db")], False),
    "allowed": (pod(), [budget(2)], False),
    "ended": (pod("Succeeded"), [budget(0)], False),
    "ending": (pod(deletionTimestamp="2026-01-01T00:00:00Z"), [budget(0)], False),
    "not begun": (pod("Pending"), [budget(0)], True),
    "unhealthy, and enough are healthy": (pod(ready=False), [budget(0, 2, 2)], True),
    "unhealthy, whatever happens": (
        pod(ready=False), [budget(0, 0, 2, unhealthyPodEvictionPolicy="AlwaysAllow")], True,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("one", "budgets", "as_seen"), GRANTED.values(), ids=GRANTED.keys())
def test_granted(one, budgets, as_seen):
    assert eviction.judge(one, budgets, NOW).as_seen == as_seen


def failed(why):
    told = budget(0)
    told["status"]["conditions"] = [
        {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": why}
    ]
    return told


REFUSED = {
    "too few": (pod(), [budget(0)], "The disruption budget b needs 2 healthy pods and has 3 currently", None),
    "unhealthy, and too few are healthy": (
        pod(ready=False),
        [budget(0, 1, 2)],
        "The disruption budget b needs 2 healthy pods and has 1 currently",
        None,
    ),
    "not looked at yet": (
        pod(), [budget(observed=0)], "The disruption budget b is still being processed by the server.", 10,
    ),
    "cannot be counted": (
        pod(),
        [failed("no scale")],
        "The disruption budget b does not allow evicting pods currently because it failed sync: no scale",
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("one", "budgets", "why", "retry"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(one, budgets, why, retry):
    with pytest.raises(errors.StatusError) as refusal:
        eviction.judge(one, budgets, NOW)
    status = refusal.value.status
    assert (status["code"], status["reason"], status["message"]) == (429, "TooManyRequests", REFUSAL)
    assert status["details"]["causes"] == [{"reason": "DisruptionBudget", "message": why}]
    assert refusal.value.retry_after_seconds == retry


def test_two_budgets_are_one_too_many():
    with pytest.raises(errors.StatusError) as refusal:
        eviction.judge(pod(), [budget(), budget(name="c")], NOW)
    assert refusal.value.status["message"].startswith("This pod has more than one PodDisruptionBudget")
    assert refusal.value.code == 500


def test_the_last_disruption_changes_the_condition():
    granted = eviction.judge(pod(), [budget(1)], NOW).budget
    assert granted is not None
    assert granted["status"]["disruptionsAllowed"] == 0
    assert granted["status"]["disruptedPods"] == {"p": "2026-01-01T00:00:00Z"}
    assert conditions.get(granted, "DisruptionAllowed")["reason"] == "InsufficientPods"  # type: ignore[index]


@pytest.fixture
async def ready(api: kit.Api) -> kit.Api:
    await kit.with_account(api)
    return api


async def with_pod(api: kit.Api, name: str) -> None:
    made = kit.pod(name)
    made["metadata"]["labels"] = {"app": "web"}
    await api.make(PODS, made)
    target = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name},
        "target": {"kind": "Node", "name": "n"},
    }
    await api.ask("POST", f"{PODS}/{name}/binding", target)
    status = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    assert (await api.ask("PATCH", f"{PODS}/{name}/status", status, headers=MERGE)).status == 200


async def with_budget(api: kit.Api, allowed: int) -> None:
    await api.make(BUDGETS, {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": "web"}}}})
    status = budget(allowed)["status"]
    assert (await api.ask("PATCH", f"{BUDGETS}/b/status", {"status": status}, headers=MERGE)).status == 200


async def evict(api: kit.Api, name: str, query: str = "", **options: Any) -> kit.Answer:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options or None}
    return await api.ask("POST", f"{PODS}/{name}/eviction", body, query=query)


async def test_of_many_evictions_only_as_many_as_allowed(ready: kit.Api):
    await with_budget(ready, 2)
    for number in range(6):
        await with_pod(ready, f"p{number}")
    answers = await asyncio.gather(*(evict(ready, f"p{number}") for number in range(6)))
    assert sorted(one.status for one in answers) == [201, 201, 429, 429, 429, 429]
    pods = (await ready.ask("GET", PODS)).body["items"]
    going = [one for one in pods if "deletionTimestamp" in one["metadata"]]
    assert len(going) == 2
    for one in going:
        condition = conditions.get(one, "DisruptionTarget")
        assert condition is not None
        assert (condition["reason"], condition["message"]) == ("EvictionByEvictionAPI", "Eviction API: evicting")
    status = (await ready.ask("GET", f"{BUDGETS}/b")).body["status"]
    assert status["disruptionsAllowed"] == 0
    assert len(status["disruptedPods"]) == 2
    refused = next(one for one in answers if one.status == 429)
    assert "retry-after" not in refused.headers


async def test_trying_changes_nothing(ready: kit.Api):
    await with_budget(ready, 1)
    await with_pod(ready, "p")
    for answer in (await evict(ready, "p", query="dryRun=All"), await evict(ready, "p", dryRun=["All"])):
        assert answer.status == 201
    assert "deletionTimestamp" not in (await ready.ask("GET", f"{PODS}/p")).body["metadata"]
    assert (await ready.ask("GET", f"{BUDGETS}/b")).body["status"]["disruptionsAllowed"] == 1


async def test_preconditions(ready: kit.Api):
    await with_pod(ready, "p")
    for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
        answer = await evict(ready, "p", preconditions=wrong)
        assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    right = (await ready.ask("GET", f"{PODS}/p")).body["metadata"]
    given = {"uid": right["uid"], "resourceVersion": right["resourceVersion"]}
    assert (await evict(ready, "p", preconditions=given)).status == 201


async def test_what_is_not_there(ready: kit.Api):
    assert (await evict(ready, "p")).refusal == (404, "NotFound", 'pods "p" not found')
