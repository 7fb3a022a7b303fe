"""Watches: what is told, in which order, and when they end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from steersman.aio import clock as clocks
from steersman.aio import virtual_loop
from steersman.apiserver import watching
from tests.apiserver import kit
from tests.apiserver.kit import MAPS, MERGE


class Watched:
    """Events of one watch."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._waiting: list[dict[str, Any]] = []

    async def next(self) -> dict[str, Any]:
        while not self._waiting:
            piece = await anext(self._stream)
            self._waiting = [orjson.loads(line) for line in piece.splitlines()]
        return self._waiting.pop(0)

    async def told(self, count: int) -> list[tuple[str, str]]:
        found = [await asyncio.wait_for(self.next(), 2) for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in found]

    async def close(self) -> None:
        await self._stream.aclose()  # type: ignore[attr-defined]


async def watch(api: kit.Api, query: str = "", path: str = MAPS, headers: dict[str, str] | None = None) -> Watched:
    answer = await api.ask("GET", path, query=f"watch=1&{query}", headers=headers)
    assert answer.status == 200, answer.raw
    stream = answer.response.stream
    assert stream is not None
    return Watched(stream)


async def test_state_first_then_changes(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    watched = await watch(api)
    assert await watched.told(1) == [("ADDED", "a")]
    await api.make(MAPS, kit.config_map("b"))
    await api.ask("PATCH", f"{MAPS}/a", {"data": {"x": "1"}}, headers=MERGE)
    gone = await api.ask("DELETE", f"{MAPS}/b")
    assert gone.status == 200
    assert await watched.told(3) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    await watched.close()


async def test_after_a_revision_only_what_is_later(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    listed = (await api.ask("GET", MAPS)).body["metadata"]["resourceVersion"]
    await api.make(MAPS, kit.config_map("b"))
    watched = await watch(api, f"resourceVersion={listed}")
    await api.ask("DELETE", f"{MAPS}/b")
    assert (await watched.next())["type"] == "ADDED"
    event = await watched.next()
    assert event["type"] == "DELETED"
    assert event["object"]["metadata"]["resourceVersion"] == str(api.store.revision)
    await watched.close()


async def test_all_namespaces_and_one(api: kit.Api):
    everywhere = await watch(api, path="/api/v1/configmaps")
    here = await watch(api)
    await api.make("/api/v1/namespaces/kube-public/configmaps", kit.config_map("a"))
    await api.make(MAPS, kit.config_map("b"))
    assert sorted(await everywhere.told(2)) == [("ADDED", "a"), ("ADDED", "b")]
    assert await here.told(1) == [("ADDED", "b")]
    await everywhere.close()
    await here.close()


async def test_selectors_turn_changes_into_added_and_deleted(api: kit.Api):
    await api.make(MAPS, kit.config_map("a", {"color": "red"}))
    watched = await watch(api, "labelSelector=color%3Dred")
    assert await watched.told(1) == [("ADDED", "a")]
    await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"labels": {"color": "blue"}}}, headers=MERGE)
    left = await watched.next()
    assert left["type"] == "DELETED"
    assert left["object"]["metadata"]["labels"] == {"color": "red"}  # what the watcher knew
    assert left["object"]["metadata"]["resourceVersion"] == str(api.store.revision)
    await api.ask("PATCH", f"{MAPS}/a", {"data": {"x": "1"}}, headers=MERGE)  # unseen
    await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"labels": {"color": "red"}}}, headers=MERGE)
    assert await watched.told(1) == [("ADDED", "a")]
    await watched.close()


async def test_one_name(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    watched = await watch(api, "fieldSelector=metadata.name%3Db")
    await api.make(MAPS, kit.config_map("b"))
    assert await watched.told(1) == [("ADDED", "b")]
    await watched.close()


async def test_pods_of_one_node(api: kit.Api):
    """They appear when they are bound, from the past as well; what happens on other nodes is not told."""
    await kit.with_account(api)
    start = api.store.revision
    query = "fieldSelector=spec.nodeName%3Dnode-1"
    live = await watch(api, query, kit.PODS)
    told_live = asyncio.ensure_future(live.told(2))
    for _ in range(5):  # turns in which the watch begins
        await asyncio.sleep(0)
    assert api.server.watcher.open
    for name in ("a", "b"):
        await api.make(kit.PODS, kit.pod(name))
    for name, node in (("b", "node-2"), ("a", "node-1")):
        binding = {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}}
        await api.make(f"{kit.PODS}/{name}/binding", binding)
    for name in ("b", "a"):
        await api.ask("DELETE", f"{kit.PODS}/{name}", {"gracePeriodSeconds": 0})
    later = await watch(api, f"{query}&resourceVersion={start}", kit.PODS)
    for watched, told in ((live, told_live), (later, later.told(2))):
        assert await told == [("ADDED", "a"), ("DELETED", "a")]
        await watched.close()


async def test_streaming_list_says_where_the_state_ends(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    query = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    watched = await watch(api, query)
    assert await watched.told(1) == [("ADDED", "a")]
    mark = await watched.next()
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert mark["object"]["metadata"]["resourceVersion"] == str(api.store.revision)
    await watched.close()


@pytest.mark.parametrize("count", [0, 2, 3], ids=["nothing", "exactly one piece", "two pieces"])
async def test_the_state_comes_piece_by_piece(api: kit.Api, monkeypatch: pytest.MonkeyPatch, count: int):
    monkeypatch.setattr(watching, "INITIAL_AT_ONCE", 2)
    names = ["a", "b", "c"][:count]
    for name in names:
        await api.make(MAPS, kit.config_map(name))
    query = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    watched = await watch(api, query)
    assert await watched.told(count) == [("ADDED", name) for name in names]
    assert (await watched.next())["type"] == "BOOKMARK"
    await api.make(MAPS, kit.config_map("later"))
    assert await watched.told(1) == [("ADDED", "later")]
    await watched.close()


async def test_table_events_name_their_columns_once(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    await api.make(MAPS, kit.config_map("b"))
    watched = await watch(api, headers=kit.TABLE)
    first, second = await watched.next(), await watched.next()
    assert first["object"]["kind"] == "Table"
    assert [column["name"] for column in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert not second["object"]["columnDefinitions"]
    await watched.close()


async def test_a_forgotten_revision_is_an_error_event(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    await api.make(MAPS, kit.config_map("b"))
    await api.store.compact(api.store.revision)
    watched = await watch(api, "resourceVersion=1")
    event = await watched.next()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    with pytest.raises(StopAsyncIteration):
        await watched.next()


async def test_watchers_share_the_same_bytes(api: kit.Api):
    first, second = await watch(api), await watch(api)
    waiting = [asyncio.ensure_future(anext(one._stream)) for one in (first, second)]
    await asyncio.sleep(0)
    await api.make(MAPS, kit.config_map("a"))
    left, right = await asyncio.gather(*waiting)
    assert left == right
    await first.close()
    await second.close()
    assert api.server.watcher.open == 0


WRONG = {
    "match without initial events": ("resourceVersionMatch=NotOlderThan", 422),
    "initial events without match": ("sendInitialEvents=true", 422),
    "future": ("resourceVersion=9999", 504),
    "selector": ("labelSelector=%3D%3D", 400),
}


@pytest.mark.parametrize(("query", "status"), WRONG.values(), ids=WRONG.keys())
async def test_wrong_parameters(api: kit.Api, query: str, status: int):
    assert (await api.ask("GET", MAPS, query=f"watch=1&{query}")).status == status


def test_bookmarks_each_minute_and_the_end_in_time():
    """Under virtual time: a watch of 150 s has bookmarks after 60 s, 120 s and shortly before its end."""
    loop = virtual_loop.VirtualLoop()

    async def story() -> list[tuple[int, str]]:
        async with kit.Api(clock=clocks.VirtualClock(loop)) as api:
            watched = await watch(api, "allowWatchBookmarks=true&timeoutSeconds=150")
            told = []
            try:
                while True:
                    event = await watched.next()
                    told.append((round(loop.time()), event["type"]))
                    if len(told) == 1:
                        await api.make(MAPS, kit.config_map("a"))
            except StopAsyncIteration:
                told.append((round(loop.time()), "end"))
            return told

    try:
        told = loop.run_until_complete(story())
    finally:
        loop.close()
    assert told == [
        (60, "BOOKMARK"),
        (60, "ADDED"),
        (120, "BOOKMARK"),
        (148, "BOOKMARK"),
        (150, "BOOKMARK"),
        (150, "end"),
    ]


async def test_cancelling_a_watch_ends_it(api: kit.Api):
    watched = await watch(api)
    task = asyncio.ensure_future(watched.next())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert api.server.watcher.open == 0
