"""Changes of pods that their node cannot follow are refused."""

import asyncio

import pytest

from steersman.apiserver.admission import declared_features
from tests.apiserver import kit


def pod(cpu="1", qos="Guaranteed", whole=None):
    spec = {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu, "memory": "1Mi"}}}]}
    return {"spec": {**spec, **({"resources": whole} if whole else {})}, "status": {"qosClass": qos}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(pod(), pod(), [], id="nothing"),
        pytest.param(pod("1"), pod("1000m"), [], id="the same in other words"),
        pytest.param(pod("1"), pod("2"), ["GuaranteedQoSPodCPUResize"], id="CPU of a guaranteed pod"),
        pytest.param(pod("1", "Burstable"), pod("2", "Burstable"), [], id="of another"),
        pytest.param(
            pod(whole={"limits": {"cpu": "1"}}),
            pod(whole={"limits": {"cpu": "2"}}),
            ["InPlacePodLevelResourcesVerticalScaling"],
            id="of the whole pod",
        ),
    ],
)
def test_what_a_change_requires(old, new, expected):
    assert declared_features.required(old, new) == expected


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([declared_features.CPU_OF_GUARANTEED], ""),
        (
            [],
            'pods "web" is forbidden: pod update requires features GuaranteedQoSPodCPUResize which are not available on node "n"',
        ),
    ],
    ids=["declared", "not"],
)
def test_a_resize(features, message):
    amount = {"cpu": "1", "memory": "1Mi"}

    async def story():
        async with kit.Api() as api:
            await kit.with_account(api)
            await api.make("/api/v1/nodes", {"metadata": {"name": "n"}, "status": {"declaredFeatures": features}})
            body = kit.pod("web", nodeName="n")
            body["spec"]["containers"][0]["resources"] = {"requests": amount, "limits": amount}
            await api.make(kit.PODS, body)
            more = {"cpu": "2", "memory": "1Mi"}
            change = {"spec": {"containers": [{"name": "main", "resources": {"requests": more, "limits": more}}]}}
            return await api.ask("PATCH", f"{kit.PODS}/web/resize", change, headers=kit.STRATEGIC)

    answer = asyncio.run(story())
    assert answer.status == (403 if message else 200)
    assert (answer.body.get("message") or "") == message
