"""Lists: pages, selectors, revisions, other shapes."""

import asyncio
import base64

import orjson
import pytest

from steersman.aio.clock import VirtualClock
from steersman.aio.virtual_loop import VirtualLoop
from steersman.apiserver import page_expiry
from tests.apiserver import kit
from tests.apiserver.kit import MAPS


@pytest.fixture
async def ten(api: kit.Api) -> kit.Api:
    for number in range(10):
        await api.make(MAPS, kit.config_map(f"m{number}", {"even": str(number % 2 == 0)}))
    return api


async def names(api: kit.Api, query: str) -> list[str]:
    answer = await api.ask("GET", MAPS, query=query)
    assert answer.status == 200, answer.raw
    return [item["metadata"]["name"] for item in answer.body["items"]]


async def test_a_list_is_the_stored_objects(ten: kit.Api):
    listed = (await ten.ask("GET", MAPS)).body
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert listed["metadata"] == {"resourceVersion": str(ten.store.revision)}
    typed = {"kind": "ConfigMap", "apiVersion": "v1"}
    assert {**typed, **listed["items"][3]} == (await ten.ask("GET", f"{MAPS}/m3")).body


@pytest.mark.parametrize("selector", ["", "&labelSelector=even%3DTrue"])
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 10, 11])
async def test_pages_are_one_picture(ten: kit.Api, limit: int, selector: str):
    found: list[str] = []
    token, seen = "", set()
    while True:
        answer = (await ten.ask("GET", MAPS, query=f"limit={limit}&continue={token}{selector}")).body
        found += [item["metadata"]["name"] for item in answer["items"]]
        seen.add(answer["metadata"]["resourceVersion"])
        token = answer["metadata"].get("continue", "")
        if not token:
            break
        assert len(answer["items"]) == limit
        if not selector:
            assert answer["metadata"]["remainingItemCount"] == 10 - len(found)
        await ten.ask("POST", MAPS, kit.config_map(f"z{len(found)}", {"even": "True"}))  # later than the picture
    assert found == [f"m{number}" for number in range(10) if not selector or number % 2 == 0]
    assert len(seen) == 1


async def test_a_page_of_the_forgotten_past_is_410_with_a_way_on(ten: kit.Api):
    token = (await ten.ask("GET", MAPS, query="limit=4")).body["metadata"]["continue"]
    await ten.ask("DELETE", f"{MAPS}/m9")
    await ten.store.compact(ten.store.revision)
    refused = await ten.ask("GET", MAPS, query=f"limit=4&continue={token}")
    assert refused.refusal[:2] == (410, "Expired")
    on = refused.body["metadata"]["continue"]
    assert await names(ten, f"continue={on}") == ["m4", "m5", "m6", "m7", "m8"]


@pytest.mark.parametrize(
    "token", ["x", "!!", base64.urlsafe_b64encode(orjson.dumps({"v": "v9", "rv": 1, "start": "a"})).decode()]
)
async def test_a_broken_token_is_400(ten: kit.Api, token: str):
    assert (await ten.ask("GET", MAPS, query=f"continue={token}")).status == 400


SELECTORS = {
    "equal": ("labelSelector=even%3DTrue", [0, 2, 4, 6, 8]),
    "not": ("labelSelector=even!%3DTrue", [1, 3, 5, 7, 9]),
    "exists": ("labelSelector=odd", []),
    "name": ("fieldSelector=metadata.name%3Dm3", [3]),
    "not the name": ("fieldSelector=metadata.name!%3Dm3&labelSelector=even%3DFalse", [1, 5, 7, 9]),
    "another namespace": ("fieldSelector=metadata.namespace%3Dother", []),
}


@pytest.mark.parametrize(("query", "expect"), SELECTORS.values(), ids=SELECTORS.keys())
async def test_selectors(ten: kit.Api, query: str, expect: list[int]):
    assert await names(ten, query) == [f"m{number}" for number in expect]


async def test_exact_revision_is_the_past(ten: kit.Api):
    then = ten.store.revision
    await ten.ask("DELETE", f"{MAPS}/m0")
    assert len(await names(ten, f"resourceVersion={then}&resourceVersionMatch=Exact")) == 10
    assert len(await names(ten, f"resourceVersion={then}&resourceVersionMatch=NotOlderThan")) == 9
    assert len(await names(ten, f"resourceVersion={then}")) == 9
    assert len(await names(ten, "resourceVersion=0")) == 9


MATCHES = {
    "without a version": ("resourceVersionMatch=Exact", "is forbidden unless resourceVersion is provided"),
    "unknown": ("resourceVersionMatch=x&resourceVersion=1", "Unsupported value"),
    "exact zero": ("resourceVersionMatch=Exact&resourceVersion=0", 'is forbidden for resourceVersion "0"'),
    "version with a token": ("continue=abc&resourceVersion=1", "not allowed when using continue"),
    "no number": ("resourceVersion=abc", "invalid syntax"),
    "limit": ("limit=abc", "invalid syntax"),
}


@pytest.mark.parametrize(("query", "text"), MATCHES.values(), ids=MATCHES.keys())
async def test_wrong_parameters(ten: kit.Api, query: str, text: str):
    answer = await ten.ask("GET", MAPS, query=query)
    assert answer.status in (400, 422)
    assert text in answer.body["message"]


async def test_table(ten: kit.Api):
    table = (await ten.ask("GET", MAPS, headers=kit.TABLE)).body
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["m0", 0]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = (await ten.ask("GET", f"{MAPS}/m1", query="includeObject=Object", headers=kit.TABLE)).body
    assert whole["rows"][0]["object"]["kind"] == "ConfigMap"
    assert (await ten.ask("GET", MAPS, query="includeObject=x", headers=kit.TABLE)).status == 422


async def test_metadata_only(ten: kit.Api):
    found = (await ten.ask("GET", MAPS, headers=kit.PARTIAL_LIST)).body
    assert found["kind"] == "PartialObjectMetadataList"
    assert set(found["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_the_shape_of_a_list_is_not_that_of_an_object(ten: kit.Api):
    one = await ten.ask("GET", MAPS, headers=kit.PARTIAL)
    assert one.refusal == (
        406,
        "NotAcceptable",
        "you requested PartialObjectMetadata, but the requested object is a list (*v1.ConfigMapList)",
    )
    many = await ten.ask("GET", f"{MAPS}/m1", headers=kit.PARTIAL_LIST)
    assert many.status == 406
    assert many.body["message"].endswith("but the requested object is not a list (*v1.ConfigMap)")


async def test_reviews_have_no_other_shape(api: kit.Api):
    """Upstream's conformance asks for a Table of a review, and wants to be refused."""
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    review = {"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}}
    only = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    assert (await api.ask("POST", path, review, headers=only)).status == 406
    assert (await api.ask("POST", path, review, headers=kit.TABLE)).body["status"]["allowed"] is True


def test_pages_expire_with_time():
    """As upstream's conformance has it: the token of an old list is refused with one that goes on."""

    async def story() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with kit.Api(clock=clock) as api:
            for number in range(4):
                await api.make(MAPS, kit.config_map(f"m{number}"))
            token = (await api.ask("GET", MAPS, query="limit=2")).body["metadata"]["continue"]
            await clock.sleep(page_expiry.INTERVAL_SECONDS)
            await api.make(MAPS, kit.config_map("m4"))
            fresh = await api.ask("GET", MAPS, query=f"limit=2&continue={token}")
            assert [one["metadata"]["name"] for one in fresh.body["items"]] == ["m2", "m3"]
            await clock.sleep(2 * page_expiry.INTERVAL_SECONDS)
            old = await api.ask("GET", MAPS, query=f"limit=2&continue={token}")
            assert (old.status, old.body["reason"]) == (410, "Expired")
            on = old.body["metadata"]["continue"]
            rest = await api.ask("GET", MAPS, query=f"continue={on}")
            assert [one["metadata"]["name"] for one in rest.body["items"]] == ["m2", "m3", "m4"]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())
