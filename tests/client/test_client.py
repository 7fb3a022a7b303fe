import contextlib

import pytest

from steersman.api import kinds
from steersman.meta import errors
from steersman.meta.errors import StatusError
from steersman.serving.messages import Request
from tests.client.fake_server import pod


async def test_create_get_update_patch_delete(client, server):
    made = await client.create(kinds.POD, pod("web", image="one"))
    assert made["metadata"]["resourceVersion"] == "2"
    assert await client.get(kinds.POD, "web", "default") == made
    changed = await client.update(kinds.POD, {**made, "spec": {"image": "two"}}, because=2)
    assert changed["spec"] == {"image": "two"}
    assert server.requests[-1].headers["steersman-because"] == "2"
    patched = await client.patch(kinds.POD, "web", "default", {"spec": {"extra": "yes"}})
    assert patched["spec"] == {"image": "two", "extra": "yes"}
    await client.delete(kinds.POD, "web", "default", uid="uid-web")
    with pytest.raises(StatusError) as refused:
        await client.get(kinds.POD, "web", "default")
    assert refused.value.reason == "NotFound"


async def test_a_conflict_is_raised(client):
    made = await client.create(kinds.POD, pod("web"))
    await client.update(kinds.POD, made)
    with pytest.raises(StatusError) as refused:
        await client.update(kinds.POD, made)
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")


async def test_lists_by_namespace_and_page(client, server):
    for name in "abc":
        await server.write(pod(name))
    await server.write(pod("d", "other"))
    everything = await client.list(kinds.POD)
    assert [item["metadata"]["name"] for item in everything.items] == ["a", "b", "c", "d"]
    assert {(item["apiVersion"], item["kind"]) for item in everything.items} == {("v1", "Pod")}
    assert everything.resource_version == "5"
    page = await client.list(kinds.POD, "default", limit=2)
    assert (len(page.items), page.remaining) == (2, 1)
    rest = await client.list(kinds.POD, "default", limit=2, continue_token=page.continue_token)
    assert [item["metadata"]["name"] for item in rest.items] == ["c"]
    assert rest.continue_token == ""


async def test_who_we_are_and_what_we_say(client, server):
    await client.list(kinds.POD)
    request = server.requests[-1]
    assert request.peer.certificate_user == "tester"
    assert request.headers == {"accept": "application/json", "user-agent": "steersman"}


async def test_a_watch_streams_events_and_frees_the_server_when_left(client, server):
    watch = client.watch(kinds.POD, resource_version="1")
    await server.write(pod("a"))
    async with contextlib.aclosing(watch):
        first = await anext(watch)
        assert (first.type, first.object["metadata"]["name"]) == ("ADDED", "a")
        await server.write(pod("a", changed="yes"))
        await server.remove("/core/pods/default/a")
        assert [(await anext(watch)).type for _ in range(2)] == ["MODIFIED", "DELETED"]
        assert server.open_watches == 1
    assert server.open_watches == 0


async def test_a_watch_the_server_ends_just_ends(client, server):
    watch = client.watch(kinds.POD, resource_version="1")
    await server.write(pod("a"))
    await anext(watch)
    server.cut_watches()
    assert [event async for event in watch] == []


async def test_refused_watches_raise(client, server):
    server.refuse["WATCH"] = [errors.forbidden("pods", "", "no")]
    with pytest.raises(StatusError) as refused:
        await anext(client.watch(kinds.POD, resource_version="1"))
    assert refused.value.code == 403
    await server.write(pod("a"))
    await server.store.compact(2)
    with pytest.raises(StatusError) as refused:
        await anext(client.watch(kinds.POD, resource_version="1"))
    assert refused.value.code == 410


async def test_anything_else(client):
    response = await client.request(Request("GET", "/api/v1/pods"))
    assert response.status == 200
    assert response.body.startswith(b'{"kind":"List"')
