"""Plugins that work only where they are switched on."""

import asyncio

import pytest

from steersman.apiserver.admission import switches
from tests.apiserver import kit


def made(plugin, path, body, change=None, enabled=True):
    """The answer to the last request: creating it, or changing it after that."""

    async def story():
        async with kit.Api(admission=switches.of(plugin if enabled else "", "")) as api:
            await kit.with_account(api)
            answer = await api.ask("POST", path, body)
            if change is not None:
                assert answer.status == 201, answer.raw
                name = body["metadata"]["name"]
                answer = await api.ask("PATCH", f"{path}/{name}", change, headers=kit.STRATEGIC)
            return answer

    return asyncio.run(story())


def pod(**spec):
    containers = [{"name": "main", "image": "a:1", "imagePullPolicy": "IfNotPresent"}]
    return kit.pod("web", **{"containers": containers, **spec})


@pytest.mark.parametrize(("enabled", "policy"), [(True, "Always"), (False, "IfNotPresent")])
def test_images_are_always_pulled(enabled, policy):
    answer = made("AlwaysPullImages", kit.PODS, pod(), enabled=enabled)
    assert answer.body["spec"]["containers"][0]["imagePullPolicy"] == policy


def service(*addresses):
    return {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], "externalIPs": list(addresses)}}


@pytest.mark.parametrize(
    ("first", "change", "code"),
    [
        pytest.param(service("9.9.9.9"), None, 403, id="a new one"),
        pytest.param(service(), {"spec": {"externalIPs": ["9.9.9.9"]}}, 403, id="one more"),
        pytest.param(service(), {"metadata": {"labels": {"a": "b"}}}, 200, id="none"),
    ],
)
def test_no_external_addresses(first, change, code):
    answer = made("DenyServiceExternalIPs", kit.SERVICES, first, change)
    assert answer.status == code
    if code == 403:
        assert answer.body["message"].endswith("is forbidden: Use of external IPs is denied by admission control")


def test_who_asks_for_a_device_tolerates_its_taint():
    amount = {"example.com/gpu": "1", "cpu": "1"}
    containers = [{"name": "main", "image": "a:1", "resources": {"requests": amount, "limits": amount}}]
    answer = made("ExtendedResourceToleration", kit.PODS, pod(containers=containers))
    found = [one for one in answer.body["spec"]["tolerations"] if one["effect"] == "NoSchedule"]
    assert found == [{"key": "example.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


@pytest.mark.parametrize(("key", "code"), [("kubernetes.io/hostname", 201), ("topology.kubernetes.io/zone", 403)])
def test_others_are_kept_off_a_node_only(key, code):
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"a": "b"}}}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    answer = made("LimitPodHardAntiAffinityTopology", kit.PODS, pod(affinity=affinity))
    assert answer.status == code
    if code == 403:
        assert f"has TopologyKey {key} but only key kubernetes.io/hostname is allowed" in answer.body["message"]
