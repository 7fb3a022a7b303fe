"""No gap, no duplicate, whatever happens to the watch."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from steersman.api import kinds
from steersman.client import cache
from steersman.client.cache import Cache, Caches
from steersman.client.client import Client, Unreachable
from steersman.client.transport import InProcessTransport
from steersman.meta import errors, objects
from tests.aio import virtual
from tests.client.fake_server import FakeServer, pod, running


class Mirror:
    """A cache, its server, and what a subscriber was told."""

    def __init__(self, clock):
        self.clock = clock
        self.server = FakeServer()
        self.client = Client(InProcessTransport(self.server.handle), clock=clock)
        self.cache = Cache(self.client, kinds.POD, clock)
        self.told: list[str] = []
        self.state: dict[str, str] = {}
        self.cache.subscribe(self.note)

    def note(self, old, new):
        """Checks that each step starts from where the last one ended."""
        key = objects.key(new or old)
        assert self.state.get(key) == (objects.resource_version(old) if old else None)
        if new is None:
            del self.state[key]
        else:
            assert old is None or objects.uid(old) == objects.uid(new)
            self.state[key] = objects.resource_version(new)
        sign = "-" if new is None else "+" if old is None else "~"
        self.told.append(sign + objects.name(new or old))

    def news(self):
        told, self.told = self.told, []
        return told

    async def settle(self):
        """Until everything the server has is here too."""
        for _ in range(200):
            await virtual.turns(1)
        expected = {
            entry.key.removeprefix("/core/pods/") for entry in (await self.server.store.list("/core/pods/")).entries
        }
        assert set(self.cache.keys()) == expected == set(self.state)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with running(self.cache.run()):
            await self.cache.synced.wait()
            yield


def story(test):
    """Run `test(mirror)` under virtual time."""

    def run(caplog):
        async def whole(clock):
            await test(Mirror(clock))

        virtual.run(whole)

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@story
async def test_lists_then_follows(mirror):
    await mirror.server.write(pod("a"))
    await mirror.server.write(pod("b"))
    async with mirror.running():
        assert mirror.news() == ["+a", "+b"]
        assert mirror.cache.revision == 3
        await mirror.server.write(pod("a", changed="yes"))
        await mirror.server.write(pod("c"))
        await mirror.server.remove("/core/pods/default/b")
        await mirror.settle()
        assert mirror.news() == ["~a", "+c", "-b"]
        assert mirror.cache.get("default/a")["spec"] == {"changed": "yes"}
        assert mirror.cache.get("default/b") is None
        assert mirror.cache.revision == 6
        assert [objects.name(obj) for obj in mirror.cache.list()] == ["a", "c"]


@story
async def test_large_lists_come_in_pages(mirror):
    for number in range(cache.PAGE_OBJECTS * 2 + 1):
        await mirror.server.write(pod(f"p{number:05}"))
    async with mirror.running():
        assert len(mirror.cache) == cache.PAGE_OBJECTS * 2 + 1
        assert [request.parameter("limit") for request in mirror.server.requests[:3]] == ["500"] * 3
        assert mirror.server.requests[3].parameter("watch") == "1"


@story
async def test_a_cut_watch_goes_on_where_it_was(mirror):
    await mirror.server.write(pod("a"))
    async with mirror.running():
        await mirror.settle()
        await mirror.clock.sleep(100)
        mirror.server.cut_watches()
        await mirror.server.write(pod("b"))
        await mirror.settle()
        assert mirror.news() == ["+a", "+b"]
        assert [request.parameter("resourceVersion") for request in mirror.server.requests[1:]] == ["2", "2"]


@story
async def test_bookmarks_move_the_revision(mirror):
    mirror.server.bookmark_after_each = True
    async with mirror.running():
        await mirror.server.write(pod("a"))
        await mirror.settle()
        assert mirror.cache.revision == 2
        assert mirror.news() == ["+a"]


@story
async def test_when_the_revision_is_gone_it_lists_again_and_tells_the_difference(mirror):
    for name in "abc":
        await mirror.server.write(pod(name))
    async with mirror.running():
        await mirror.settle()
        assert mirror.news() == ["+a", "+b", "+c"]
        kept = mirror.cache.get("default/a")
        await mirror.clock.sleep(100)
        mirror.server.refuse["WATCH"] = [Unreachable("away")]
        mirror.server.cut_watches()
        await virtual.turns(50)
        await mirror.server.write(pod("b", changed="yes"))
        await mirror.server.remove("/core/pods/default/c")
        await mirror.server.write(pod("d"))
        await mirror.server.store.compact(mirror.server.store.revision)
        await mirror.clock.sleep(60)
        await mirror.settle()
        assert sorted(mirror.news()) == ["+d", "-c", "~b"]
        assert mirror.cache.get("default/a") is kept


@story
async def test_an_object_made_again_is_told_as_two(mirror):
    await mirror.server.write(pod("a", uid="first"))
    async with mirror.running():
        mirror.cache.replace(
            {
                "default/a": {
                    **pod("a", uid="second"),
                    "metadata": {"name": "a", "namespace": "default", "uid": "second", "resourceVersion": "9"},
                }
            },
            9,
        )
        assert mirror.news() == ["+a", "-a", "+a"]


@story
async def test_errors_are_retried_with_pauses(mirror):
    mirror.server.refuse["GET"] = [
        errors.unavailable("starting"),
        Unreachable("away"),
        errors.too_many_requests("", 30),
    ]
    await mirror.server.write(pod("a"))
    async with mirror.running():
        assert mirror.news() == ["+a"]
        assert mirror.clock.monotonic() > 30


@story
async def test_a_server_that_ends_every_watch_at_once_is_not_hammered(mirror):
    async with mirror.running():
        for _ in range(100):
            mirror.server.cut_watches()
            await mirror.clock.sleep(1)
        assert len(mirror.server.requests) < 25


@story
async def test_indexes(mirror):
    mirror.cache.add_index("node", lambda obj: [obj["spec"]["node"]] if "node" in obj["spec"] else [])
    await mirror.server.write(pod("a", node="n1"))
    await mirror.server.write(pod("b", node="n1"))
    await mirror.server.write(pod("c", "other"))

    def on(node):
        return [objects.name(obj) for obj in mirror.cache.by_index("node", node)]

    async with mirror.running():
        assert (on("n1"), on("n2")) == (["a", "b"], [])
        await mirror.server.write(pod("a", node="n2"))
        await mirror.server.remove("/core/pods/default/b")
        await mirror.settle()
        assert (on("n1"), on("n2")) == ([], ["a"])
        assert mirror.cache.index_values("node") == ["n2"]
        mirror.cache.add_index("all", lambda obj: ["x"])
        assert len(mirror.cache.by_index("all", "x")) == 2
        assert [objects.name(obj) for obj in mirror.cache.list("other")] == ["c"]
        assert mirror.cache.list("none") == []


@story
async def test_late_subscribers_are_told_what_is_there(mirror):
    await mirror.server.write(pod("a"))
    async with mirror.running():
        late = []
        end = mirror.cache.subscribe(lambda old, new: late.append((old, objects.name(new))))
        assert late == [(None, "a")]
        end()
        await mirror.server.write(pod("b"))
        await mirror.settle()
        assert late == [(None, "a")]


@pytest.mark.parametrize("seed", range(8))
def test_no_gap_and_no_duplicate_under_faults(seed, caplog):
    """Random writes, cut watches, refusals and compactions: the mirror ends where the server is (`note` checks each step)."""

    async def whole(clock):
        chance = random.Random(seed)
        mirror = Mirror(clock)
        mirror.server.bookmark_after_each = chance.random() < 0.5
        async with running(mirror.cache.run()):
            for _ in range(150):
                name = chance.choice("abcdef")
                match chance.randrange(8):
                    case 0:
                        mirror.server.cut_watches()
                    case 1:
                        mirror.server.refuse["WATCH"] = [Unreachable("cut"), errors.unavailable("busy")]
                    case 2:
                        await mirror.server.store.compact(mirror.server.store.revision)
                    case 3:
                        if await mirror.server.store.get(f"/core/pods/default/{name}"):
                            await mirror.server.remove(f"/core/pods/default/{name}")
                    case 4:
                        await clock.sleep(chance.choice([0, 0.1, 5, 40]))
                    case _:
                        await mirror.server.write(pod(name, uid=str(chance.random()) if chance.random() < 0.1 else ""))
            await clock.sleep(300)
            await mirror.settle()

    virtual.run(whole)


async def test_caches_are_shared_and_run_together(client, server):
    caches = Caches(client, client.clock)
    pods = caches.of(kinds.POD)
    assert caches.of(kinds.POD) is pods
    assert caches.of(kinds.POD, namespace="default") is not pods
    await server.write(pod("a"))
    async with running(caches.run()):
        await caches.wait_synced()
        assert len(pods) == 1
        nodes = caches.of(kinds.NODE)  # late: runs at once
        await nodes.synced.wait()
        assert server.open_watches == 3
        assert caches.statistics() == {"pods": 1, "nodes": 0}
    assert server.open_watches == 0


async def test_a_subscriber_that_crashes_is_not_swallowed(client, server, caplog):
    def crash(old, new):
        raise ZeroDivisionError

    caches = Caches(client, client.clock)
    caches.of(kinds.POD).subscribe(crash)
    await server.write(pod("a"))
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(caches.run(), 5)
