"""Address families of Services: who gets which, and what an update may change (upstream's table, in short)."""

from collections.abc import AsyncIterator

import pytest

from tests.apiserver import kit
from tests.apiserver.kit import SERVICES

FOUR, SIX = "IPv4", "IPv6"
BOTH = ("10.96.0.0/16", "fd00:10:96::/112")


@pytest.fixture
async def dual() -> AsyncIterator[kit.Api]:
    async with kit.Api(service_cidrs=BOTH) as api:
        yield api


def service(name: str = "a", **spec: object) -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, **spec}}


def families(spec) -> list[str]:
    return [SIX if ":" in address else FOUR for address in spec["clusterIPs"]]


NEW = [
    pytest.param({}, "SingleStack", [FOUR], id="nothing said"),
    pytest.param({"ipFamilies": [SIX]}, "SingleStack", [SIX], id="six"),
    pytest.param({"ipFamilyPolicy": "PreferDualStack"}, "PreferDualStack", [FOUR, SIX], id="both if there are"),
    pytest.param(
        {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": [SIX]}, "RequireDualStack", [SIX, FOUR], id="six first"
    ),
    pytest.param({"clusterIP": "fd00:10:96::55"}, "SingleStack", [SIX], id="by address"),
    pytest.param(
        {"ipFamilyPolicy": "RequireDualStack", "clusterIPs": ["10.96.1.1", "fd00:10:96::77"], "clusterIP": "10.96.1.1"},
        "RequireDualStack",
        [FOUR, SIX],
        id="by addresses",
    ),
]


@pytest.mark.parametrize(("spec", "policy", "expected"), NEW)
async def test_new_services(dual: kit.Api, spec, policy, expected):
    made = (await dual.make(SERVICES, service(**spec)))["spec"]
    assert (made["ipFamilyPolicy"], made["ipFamilies"], families(made)) == (policy, expected, expected)
    assert made["clusterIP"] == made["clusterIPs"][0]
    for address in made["clusterIPs"]:
        assert (await dual.ask("GET", f"/apis/networking.k8s.io/v1/ipaddresses/{address}")).status == 200


async def test_headless_without_selector_is_of_both_everywhere(api: kit.Api):
    made = await api.make(SERVICES, {"metadata": {"name": "a"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}})
    assert made["spec"]["ipFamilyPolicy"] == "RequireDualStack"
    assert made["spec"]["ipFamilies"] == [FOUR, SIX]
    assert made["spec"]["clusterIPs"] == ["None"]


REFUSED = [
    pytest.param(
        {"ipFamilyPolicy": "RequireDualStack"},
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
        id="both",
    ),
    pytest.param(
        {"ipFamilies": [SIX]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster', id="six"
    ),
    pytest.param({"ipFamilies": [FOUR, FOUR]}, 'spec.ipFamilies[1]: Duplicate value: "IPv4"', id="twice"),
    pytest.param(
        {"ipFamilies": [FOUR], "clusterIP": "fd00::1"},
        'spec.clusterIPs[0]: Invalid value: "fd00::1": expected an IPv4 value as indicated by `ipFamilies[0]`',
        id="address of another family",
    ),
]


@pytest.mark.parametrize(("spec", "message"), REFUSED)
async def test_refused_with_one_family(api: kit.Api, spec, message):
    answer = await api.ask("POST", SERVICES, service(**spec))
    assert message in answer.body["message"]


async def test_gaining_and_losing_the_second_family(dual: kit.Api):
    made = (await dual.make(SERVICES, service()))["spec"]

    async def change(**spec: object) -> kit.Answer:
        return await dual.ask("PATCH", f"{SERVICES}/a", {"spec": spec}, headers=kit.MERGE)

    wider = (await change(ipFamilyPolicy="RequireDualStack")).body["spec"]
    assert families(wider) == [FOUR, SIX]
    assert wider["clusterIPs"][0] == made["clusterIP"]
    refused = await change(ipFamilies=[FOUR])
    assert "must be 'SingleStack' to release the secondary IP family" in refused.body["message"]
    narrow = (await change(ipFamilyPolicy="SingleStack")).body["spec"]
    assert (narrow["clusterIPs"], narrow["ipFamilies"]) == ([made["clusterIP"]], [FOUR])
    freed = await dual.ask("GET", f"/apis/networking.k8s.io/v1/ipaddresses/{wider['clusterIPs'][1]}")
    assert freed.status == 404
    refused = await change(ipFamilies=[SIX])
    assert refused.status == 422, refused.raw


async def test_a_preference_is_not_acted_on_by_the_way(api: kit.Api):
    await api.make(SERVICES, service(ipFamilyPolicy="PreferDualStack"))
    async with kit.Api(store=api.store, service_cidrs=BOTH) as wider:
        label = {"metadata": {"labels": {"x": "y"}}}
        kept = await wider.ask("PATCH", f"{SERVICES}/a", label, headers=kit.MERGE)
        assert kept.body["spec"]["ipFamilies"] == [FOUR]
        cidrs = (await wider.ask("GET", "/apis/networking.k8s.io/v1/servicecidrs/kubernetes")).body["spec"]["cidrs"]
        assert cidrs == list(BOTH)
