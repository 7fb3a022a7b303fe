"""ResourceQuota and LimitRange at admission."""

import asyncio
from typing import Any

import pytest

from steersman.meta.objects import Object
from tests.apiserver import kit
from tests.apiserver.extensions import definitions as custom
from tests.apiserver.kit import MERGE, PODS, SERVICES

QUOTAS = "/api/v1/namespaces/default/resourcequotas"
LIMITS = "/api/v1/namespaces/default/limitranges"
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture
async def ready(api: kit.Api) -> kit.Api:
    await kit.with_account(api)
    return api


async def with_quota(api: kit.Api, hard: dict[str, str], name: str = "q", **spec: Any) -> None:
    """A quota that has been counted: nothing is used."""
    await api.make(QUOTAS, {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
    status = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
    assert (await api.ask("PATCH", f"{QUOTAS}/{name}/status", status, headers=MERGE)).status == 200


async def used(api: kit.Api, name: str = "q") -> Object:
    found: Object = (await api.ask("GET", f"{QUOTAS}/{name}")).body["status"]["used"]
    return found


def pod(name: str, requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> Object:
    made = kit.pod(name)
    made["spec"]["containers"][0]["resources"] = {"requests": requests or {}, "limits": limits or {}}
    return made


async def test_what_is_too_much_is_refused(ready: kit.Api):
    await with_quota(ready, {"pods": "1", "requests.cpu": "1"})
    await ready.make(PODS, pod("a", {"cpu": "600m"}))
    assert await used(ready) == {"pods": "1", "requests.cpu": "600m"}
    refused = await ready.ask("POST", PODS, pod("b", {"cpu": "500m"}))
    assert refused.refusal == (
        403,
        "Forbidden",
        'pods "b" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=500m, '
        "used: pods=1,requests.cpu=600m, limited: pods=1,requests.cpu=1",
    )
    silent = await ready.ask("POST", PODS, kit.pod("c"))
    assert silent.refusal[2] == 'pods "c" is forbidden: failed quota: q: must specify requests.cpu for: main'
    assert await used(ready) == {"pods": "1", "requests.cpu": "600m"}


async def test_of_many_at_once_only_those_that_fit(ready: kit.Api):
    await with_quota(ready, {"pods": "7"})
    answers = await asyncio.gather(*(ready.ask("POST", PODS, kit.pod(f"p{number}")) for number in range(20)))
    assert sorted(one.status for one in answers) == [201] * 7 + [403] * 13
    assert await used(ready) == {"pods": "7"}
    assert len((await ready.ask("GET", PODS)).body["items"]) == 7


async def test_what_fails_or_is_only_tried_uses_nothing(ready: kit.Api):
    await with_quota(ready, {"secrets": "5", "services.nodeports": "1"})
    await ready.make(SECRETS, {"metadata": {"name": "s"}})
    assert (await ready.ask("POST", SECRETS, {"metadata": {"name": "s"}})).status == 409
    assert (await ready.ask("POST", SECRETS, {"metadata": {"name": "t"}}, query="dryRun=All")).status == 201
    assert await used(ready) == {"secrets": "1", "services.nodeports": "0"}


async def test_changes_and_resizes_are_counted(ready: kit.Api):
    await with_quota(ready, {"services.nodeports": "1", "requests.cpu": "1"})
    await ready.make(SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    assert (await ready.ask("PATCH", f"{SERVICES}/s", {"spec": {"type": "NodePort"}}, headers=MERGE)).status == 200
    assert (await used(ready))["services.nodeports"] == "1"
    await ready.make(PODS, pod("p", {"cpu": "500m"}))
    for cpu, status in (("900m", 200), ("1100m", 403)):
        wanted = {"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]}}
        assert (await ready.ask("PATCH", f"{PODS}/p/resize", wanted, headers=kit.STRATEGIC)).status == status
        assert (await used(ready))["requests.cpu"] == "900m"


async def test_custom_resources_count(ready: kit.Api):
    await ready.make(custom.DEFINITIONS, custom.definition())
    await with_quota(ready, {"count/crontabs.stable.example.com": "1"})
    await ready.make(custom.CRONTABS, custom.crontab("a"))
    refused = await ready.ask("POST", custom.CRONTABS, custom.crontab("b"))
    assert refused.refusal[2] == (
        'crontabs.stable.example.com "b" is forbidden: exceeded quota: q, '
        "requested: count/crontabs.stable.example.com=1, used: count/crontabs.stable.example.com=1, "
        "limited: count/crontabs.stable.example.com=1"
    )


async def test_a_count_that_missed_an_object_comes_too_late(ready: kit.Api):
    quota = await ready.make(QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})
    await ready.make(PODS, kit.pod("p"))
    late = {**quota, "status": {"hard": {"pods": "1"}, "used": {"pods": "0"}}}
    assert (await ready.ask("PUT", f"{QUOTAS}/q/status", late)).status == 409


# LimitRange

CONTAINER = {
    "type": "Container",
    "min": {"cpu": "50m"},
    "max": {"cpu": "500m"},
    "default": {"cpu": "200m"},
    "defaultRequest": {"cpu": "100m"},
    "maxLimitRequestRatio": {"cpu": "4"},
}


async def with_limits(api: kit.Api, *items: Object) -> None:
    await api.make(LIMITS, {"metadata": {"name": "l"}, "spec": {"limits": list(items)}})


async def test_containers_get_what_they_do_not_say(ready: kit.Api):
    await with_limits(ready, CONTAINER)
    plain = await ready.make(PODS, kit.pod("plain"))
    assert plain["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}
    assert plain["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu request for container main; cpu limit for container main"
    )
    limited = await ready.make(PODS, pod("limited", limits={"cpu": "300m"}))
    assert limited["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "300m"}, "limits": {"cpu": "300m"}}
    assert "annotations" not in limited["metadata"]


REFUSED = {
    "too little": ({"cpu": "10m"}, {"cpu": "40m"}, "minimum cpu usage per Container is 50m, but request is 10m"),
    "too much": ({"cpu": "400m"}, {"cpu": "600m"}, "maximum cpu usage per Container is 500m, but limit is 600m"),
    "too far apart": (
        {"cpu": "50m"},
        {"cpu": "400m"},
        "cpu max limit to request ratio per Container is 4, but provided ratio is 8.000000",
    ),
}


@pytest.mark.parametrize(("requests", "limits", "why"), REFUSED.values(), ids=REFUSED.keys())
async def test_containers_outside_of_their_limits(ready: kit.Api, requests, limits, why):
    await with_limits(ready, CONTAINER)
    refused = await ready.ask("POST", PODS, pod("p", requests, limits))
    assert refused.refusal == (403, "Forbidden", f'pods "p" is forbidden: {why}')


async def test_all_reasons_are_told(ready: kit.Api):
    await with_limits(ready, {"type": "Pod", "min": {"memory": "1Gi"}, "max": {"cpu": "1", "memory": "2Gi"}})
    refused = await ready.ask("POST", PODS, pod("p", {"memory": "1Mi"}, {"cpu": "2"}))
    assert refused.refusal[2] == (
        'pods "p" is forbidden: [minimum memory usage per Pod is 1Gi, but request is 1Mi, '
        "maximum cpu usage per Pod is 1, but limit is 2, maximum memory usage per Pod is 2Gi.  No limit is specified]"
    )
