"""pods/resize: what may change, and what is refused with which words."""

from typing import Any

import pytest

from tests.apiserver import kit
from tests.apiserver.kit import PODS

SMALL = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}}


def body(resources: dict[str, Any], **about: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "resources": resources}], **about}}


async def make(api: kit.Api) -> None:
    await kit.with_account(api)
    await api.make(PODS, kit.pod("p", containers=[{"name": "c", "image": "i", "resources": SMALL}]))


async def test_resources_change_and_nothing_else(api: kit.Api) -> None:
    await make(api)
    wanted = body({"requests": {"cpu": "150m"}}, hostname="other")
    answer = await api.ask("PATCH", f"{PODS}/p/resize", wanted, headers=kit.STRATEGIC)
    assert answer.status == 200, answer.raw
    spec = answer.body["spec"]
    assert spec["containers"][0]["resources"] == {**SMALL, "requests": {"cpu": "150m", "memory": "64Mi"}}
    assert "hostname" not in spec
    assert answer.body["metadata"]["generation"] == 2
    assert (await api.ask("GET", f"{PODS}/p/resize")).body["spec"] == spec


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "class": ({"requests": {"cpu": "200m"}}, "Pod QOS Class may not change as a result of resizing"),
    "more than the limit": ({"requests": {"cpu": "300m"}}, "must be less than or equal to cpu limit"),
    "removed limit": ({"limits": {"cpu": None}}, "resource limits cannot be removed"),
    "other resource": ({"limits": {"ephemeral-storage": "1Gi"}}, "only cpu and memory resources are mutable"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refusals(api: kit.Api, case: str) -> None:
    await make(api)
    wanted, message = REFUSED[case]
    answer = await api.ask("PATCH", f"{PODS}/p/resize", body(wanted), headers=kit.STRATEGIC)
    assert answer.refusal[:2] == (422, "Invalid")
    assert message in answer.refusal[2]


async def test_containers_stay_the_same(api: kit.Api) -> None:
    await make(api)
    more = {"spec": {"containers": [{"name": "d", "image": "i"}]}}
    answer = await api.ask("PATCH", f"{PODS}/p/resize", more, headers=kit.STRATEGIC)
    assert answer.refusal[:2] == (422, "Invalid")


async def test_binding_is_no_new_generation(api: kit.Api) -> None:
    await make(api)
    bound = await api.ask("POST", f"{PODS}/p/binding", {"target": {"kind": "Node", "name": "n"}})
    assert bound.status == 201, bound.raw
    assert (await api.ask("GET", f"{PODS}/p")).body["metadata"]["generation"] == 1


OWN = {"requests": {"cpu": "200m", "memory": "128Mi"}, "limits": {"cpu": "400m", "memory": "128Mi"}}


@pytest.mark.parametrize(
    ("resources", "wish"),
    [
        ({"requests": {"cpu": "300m"}}, {**OWN, "requests": {"cpu": "300m", "memory": "128Mi"}}),
        (None, "pod-level resources cannot be removed"),
        ({"requests": {"cpu": None}}, "pod-level resource requests cannot be removed"),
        ({"limits": {"cpu": None}}, "pod-level resource limits cannot be removed"),
        ({"limits": {"hugepages-2Mi": "2Mi"}}, "only cpu and memory resources are mutable"),
        ({"requests": {"cpu": "500m"}}, "must be less than or equal to cpu limit"),
    ],
)
async def test_resources_of_the_pod_itself(api: kit.Api, resources: Any, wish: Any) -> None:
    await kit.with_account(api)
    await api.make(PODS, kit.pod("p", containers=[{"name": "c", "image": "i"}], resources=OWN))
    answer = await api.ask("PATCH", f"{PODS}/p/resize", {"spec": {"resources": resources}}, headers=kit.STRATEGIC)
    if isinstance(wish, str):
        assert answer.refusal[:2] == (422, "Invalid")
        assert wish in answer.refusal[2]
    else:
        assert answer.status == 200, answer.raw
        assert answer.body["spec"]["resources"] == wish
