"""What the API server still knows of earlier."""

import datetime

import pytest

from steersman.meta import times
from steersman.serving.messages import Peer
from steersman.store import contract, memory
from tests.apiserver import kit

MAP = f"{kit.MAPS}/settings"


async def changed_twice(api: kit.Api) -> list[int]:
    """The revisions at which `settings` said one, two and three."""
    first = await api.make(kit.MAPS, kit.config_map("settings", said="one"))
    answers = [await api.ask("PATCH", MAP, {"data": {"said": said}}, headers=kit.MERGE) for said in ("two", "three")]
    return [int(one["metadata"]["resourceVersion"]) for one in (first, *(answer.body for answer in answers))]


async def test_an_object_is_shown_as_it_was(api: kit.Api) -> None:
    revisions = await changed_twice(api)
    said = [(await api.ask("GET", f"/steersman/at/{one}{MAP}")).body["data"]["said"] for one in revisions]
    assert said == ["one", "two", "three"]


async def test_a_list_is_of_then_page_by_page(api: kit.Api) -> None:
    await api.make(kit.MAPS, kit.config_map("before"))
    first, *_ = await changed_twice(api)
    await api.make(kit.MAPS, kit.config_map("later"))
    await api.ask("DELETE", MAP)
    then = f"/steersman/at/{first}{kit.MAPS}"
    listed = (await api.ask("GET", then)).body
    assert [one["metadata"]["name"] for one in listed["items"]] == ["before", "settings"]
    assert listed["metadata"]["resourceVersion"] == str(first)
    page = (await api.ask("GET", then, query="limit=1")).body
    rest = (await api.ask("GET", then, query=f"limit=1&continue={page['metadata']['continue']}")).body
    assert page["items"] + rest["items"] == listed["items"]
    chosen = (await api.ask("GET", then, query="fieldSelector=metadata.name%3Dsettings")).body
    assert [one["data"] for one in chosen["items"]] == [{"said": "one"}]


async def test_the_past_is_read_only_and_discovery_is_that_of_now(api: kit.Api) -> None:
    revision, *_ = await changed_twice(api)
    start = f"/steersman/at/{revision}"
    assert (await api.ask("DELETE", start + MAP)).status == 405
    assert (await api.ask("GET", start + kit.MAPS, query="watch=1")).status == 405
    assert (await api.ask("GET", f"{start}{kit.PODS}/web/log")).status == 405
    assert (await api.ask("GET", f"{start}/api/v1")).body["kind"] == "APIResourceList"
    assert (await api.ask("GET", f"{start}{start}/api/v1")).status == 404


async def test_a_moment_is_a_revision_a_time_or_so_long_ago(api: kit.Api) -> None:
    revisions = await changed_twice(api)
    written = [(await api.store.cause(one) or contract.NOBODY).at for one in revisions]
    found = [(await api.ask("GET", f"/steersman/at/{at}")).body["revision"] for at in written]
    assert found == revisions
    assert (await api.ask("GET", "/steersman/at/0s-ago")).body["revision"] == api.store.revision
    late = times.format_micros(times.parse(written[-1]) + datetime.timedelta(hours=1))
    assert (await api.ask("GET", f"/steersman/at/{late}")).body["revision"] == api.store.revision


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01T00:00:00Z", "99999999999", "1e9h-ago", "999999999h", "٣"])
async def test_what_is_no_moment_is_refused(api: kit.Api, moment: str) -> None:
    answer = await api.ask("GET", f"/steersman/at/{moment}")
    assert answer.status in (400, 410), answer.raw


async def test_before_the_history_that_is_kept_is_told_so() -> None:
    limits = memory.Limits(history_events=20)
    async with kit.Api(store=memory.MemoryStore(limits)) as api:
        for number in range(40):
            await api.make(kit.MAPS, kit.config_map(f"map-{number}"))
        for moment in ("2", "24h-ago"):
            answer = await api.ask("GET", f"/steersman/at/{moment}{kit.MAPS}")
            assert answer.status == 410
            assert "the history that is kept begins at" in answer.body["message"]


async def test_ages_are_those_of_then(api: kit.Api) -> None:
    revision, *_ = await changed_twice(api)
    made = times.parse((await api.ask("GET", MAP)).body["metadata"]["creationTimestamp"])
    later = times.format_seconds(made + datetime.timedelta(seconds=90))
    rows = (await api.ask("GET", f"/steersman/at/{later}{MAP}", headers=kit.TABLE)).body["rows"]
    assert rows[0]["cells"] == ["settings", 1, "90s"]
    assert revision


async def test_history_is_every_change_with_its_cause(api: kit.Api) -> None:
    revisions = await changed_twice(api)
    await api.ask("DELETE", MAP)
    told = (await api.ask("GET", f"/steersman/history{MAP}")).body["changes"]
    assert [one["revision"] for one in told[:3]] == revisions
    assert [(one["who"], one["verb"]) for one in told] == [
        ("admin", verb) for verb in ("create", "patch", "patch", "delete")
    ]
    assert told[0]["before"] is None
    assert told[-1]["after"] is None
    assert told[1]["after"]["data"] == {"said": "two"}
    assert (await api.ask("GET", f"/steersman/history{kit.MAPS}/nobody")).status == 404


async def test_a_write_tells_what_it_changed_and_why(api: kit.Api) -> None:
    headers = {**kit.MERGE, "steersman-because": "7"}
    await api.make(kit.DEPLOYMENTS, kit.deployment("web"))
    patched = await api.ask("PATCH", f"{kit.DEPLOYMENTS}/web", {"spec": {"replicas": 3}}, headers=headers)
    told = (await api.ask("GET", f"/steersman/writes/{patched.body['metadata']['resourceVersion']}")).body
    assert (told["who"], told["verb"], told["because"]) == ("admin", "patch", 7)
    assert [(one["what"], one["kind"], one["namespace"], one["name"]) for one in told["changes"]] == [
        ("change", "Deployment", "default", "web")
    ]
    assert (await api.ask("GET", "/steersman/writes/999999")).status == 410
    assert (await api.ask("GET", "/steersman/writes/x")).status == 400


@pytest.mark.parametrize(
    "path", [f"/steersman/at/0s{MAP}", f"/steersman/history{MAP}", "/steersman/at/0s", "/steersman/writes/3"]
)
async def test_whoever_may_not_see_an_object_may_not_see_how_it_was(api: kit.Api, path: str) -> None:
    await changed_twice(api)
    assert (await api.ask("GET", path, peer=kit.BOB)).status == 403
    assert (await api.ask("GET", path)).status == 200


@pytest.mark.parametrize("path", [f"/steersman/at/0s{MAP}", f"/steersman/history{MAP}", "/steersman/at/0s/version"])
async def test_nodes_do_not_look_back(api: kit.Api, path: str) -> None:
    """What is related to a node now held other things before."""
    await changed_twice(api)
    answer = await api.ask("GET", path, peer=Peer("127.0.0.1", "system:node:n1", ("system:nodes",)))
    assert answer.status == 403
    assert answer.body["message"].endswith("what a node needs of an object is what it is now")


@pytest.mark.parametrize("path", ["/steersman/", "/steersman/what", "/steersman/history/version"])
async def test_other_questions_are_not_found(api: kit.Api, path: str) -> None:
    assert (await api.ask("GET", path)).status == 404
