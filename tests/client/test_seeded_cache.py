"""A cache that begins with what another one held is, at every moment, what one that listed would be."""

import asyncio
import contextlib
import random

import pytest

from steersman.api import kinds
from steersman.client.cache import Cache, Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.meta import objects
from tests.aio import virtual
from tests.client.fake_server import FakeServer, pod, running

PODS = "/core/pods/"


class World:
    """A server and the caches of it, each with a subscriber that checks every step; `fork` is another that goes on from here."""

    def __init__(self, clock, chance, store=None):
        self.clock = clock
        self.chance = chance
        self.server = FakeServer()
        if store is not None:
            self.server.store = store
        self.client = Client(InProcessTransport(self.server.handle), clock=clock)

    def cache(self, seed=None, stirred=None):
        return Followed(Cache(self.client, kinds.POD, self.clock, seed=seed, stirred=stirred))

    async def stirred(self, kind, revision):
        assert kind is kinds.POD
        with contextlib.closing(self.server.store.watch(PODS, revision)) as watch:
            await anext(aiter(watch))

    def fork(self):
        return World(self.clock, self.chance, self.server.store.fork())

    async def change(self):
        """One random thing happens to the pods."""
        name = self.chance.choice("abcdef")
        if self.chance.random() < 0.3 and await self.server.store.get(f"{PODS}default/{name}"):
            await self.server.remove(f"{PODS}default/{name}")
        else:
            uid = str(self.chance.random()) if self.chance.random() < 0.1 else ""
            await self.server.write(pod(name, uid=uid, node=self.chance.choice("xyz")))

    async def state(self, revision=0):
        page = await self.server.store.list(PODS, at_revision=revision)
        return {entry.key.removeprefix(PODS): entry.revision for entry in page.entries}


class Followed:
    def __init__(self, cache):
        self.cache = cache
        cache.add_index("node", lambda obj: [obj["spec"]["node"]])
        self.told: dict[str, int] = {}
        cache.subscribe(self.note)

    def note(self, old, new):
        key = objects.key(new or old)
        assert self.told.get(key) == (objects.revision(old) if old else None)
        self.told.pop(key, None)
        if new is not None:
            self.told[key] = objects.revision(new)

    def content(self):
        """However it is read, it says the same."""
        found = {objects.key(obj): objects.revision(obj) for obj in self.cache.list()}
        indexed = [obj for node in self.cache.index_values("node") for obj in self.cache.by_index("node", node)]
        assert found == self.told == {objects.key(obj): objects.revision(obj) for obj in indexed}
        assert found == {objects.key(obj): objects.revision(obj) for obj in self.cache.list("default")}
        return found


@pytest.mark.parametrize("waits", [False, True], ids=["watches at once", "watches when something happens"])
@pytest.mark.parametrize("seed", range(8))
def test_is_the_state_at_its_revision_at_every_moment(seed, waits, caplog):
    """The seed is older than the fork by what its origin had not been told yet, and the fork's history goes on at once."""

    async def whole(clock):
        world = World(clock, random.Random(seed))
        origin = world.cache()
        async with running(origin.cache.run()):
            for _ in range(world.chance.randrange(30)):
                await world.change()
                await virtual.turns(world.chance.randrange(4))
            await origin.cache.synced.wait()
            for _ in range(world.chance.randrange(10)):
                await world.change()  # the origin's cache has not been told
            seeds = origin.cache.seed()
            for _ in range(world.chance.randrange(10)):
                await world.change()
            fork = world.fork()
            seeded, listed = fork.cache(seeds, fork.stirred if waits else None), fork.cache()
            assert seeded.cache.synced.is_set()
            async with running(seeded.cache.run()), running(listed.cache.run()):
                for _ in range(60):
                    if world.chance.random() < 0.5:
                        await fork.change()
                    await virtual.turns(world.chance.randrange(3))
                    assert seeded.content() == await fork.state(seeded.cache.revision)
                await virtual.turns(20)
                assert seeded.content() == listed.content() == await fork.state()
            lists = [one for one in fork.server.requests if not one.parameter("watch")]
            assert len(lists) == 1, "only the other one listed"

    virtual.run(whole)


def test_lists_when_what_happened_since_is_forgotten(caplog):
    async def whole(clock):
        world = World(clock, random.Random(1))
        origin = world.cache()
        await world.server.write(pod("a", node="x"))
        await world.server.write(pod("b", node="x"))
        async with running(origin.cache.run()):
            await origin.cache.synced.wait()
        seed = origin.cache.seed()
        await world.server.remove(f"{PODS}default/a")
        await world.server.store.compact(world.server.store.revision)
        seeded = world.cache(seed)
        async with running(seeded.cache.run()):
            assert list(seeded.content()) == ["default/a", "default/b"], "as one whose watch has been lost"
            await clock.sleep(10)
            assert list(seeded.content()) == ["default/b"]

    virtual.run(whole)


async def test_asks_nothing_before_something_happens(client, server):
    await server.write(pod("a"))
    first = Cache(client, kinds.POD, client.clock)
    async with running(first.run()):
        await first.synced.wait()
    server.requests.clear()
    stir = asyncio.Event()
    asked = []

    async def stirred(kind, revision):
        asked.append((kind, revision))
        await stir.wait()

    seeded = Cache(client, kinds.POD, client.clock, seed=first.seed(), stirred=stirred)
    fresh = Cache(client, kinds.POD, client.clock, stirred=stirred)
    async with running(seeded.run()), running(fresh.run()):
        await fresh.synced.wait()
        await virtual.turns(20)
        assert asked == [(kinds.POD, seeded.revision)]
        assert len(server.requests) == 2, "list and watch of the one without a seed"
        stir.set()
        await server.write(pod("b"))
        await virtual.turns(20)
        assert seeded.keys() == fresh.keys() == ["default/a", "default/b"]
        assert len(server.requests) == 3


async def test_a_seed_stays_as_it_was(client, server):
    await server.write(pod("a"))
    cache = Cache(client, kinds.POD, client.clock)
    assert cache.seed() is None, "nobody knows yet what there is"
    async with running(cache.run()):
        await cache.synced.wait()
        seed = cache.seed()
        assert seed is not None
        await server.write(pod("b"))
        await virtual.turns(20)
        assert cache.keys() == ["default/a", "default/b"]
        assert [*seed.objects] == ["default/a"]
    cache.revision = 0  # it has been told 410
    assert cache.seed() is None


async def test_caches_hand_each_seed_to_its_own(client, server):
    await server.write(pod("a"))
    first = Caches(client, client.clock)
    first.of(kinds.POD)
    first.of(kinds.POD, namespace="other")
    async with running(first.run()):
        await first.wait_synced()
        first.of(kinds.NODE)  # not synced yet
        seeds = first.seeds()
    second = Caches(client, client.clock, seeds)
    assert second.of(kinds.POD).keys() == ["default/a"]
    assert second.of(kinds.POD, namespace="other").keys() == []
    assert second.of(kinds.POD, namespace="other").synced.is_set()
    assert not second.of(kinds.POD, namespace="default").synced.is_set()
    assert not second.of(kinds.NODE).synced.is_set()
    second.drop(kinds.POD)
    assert not second.of(kinds.POD).synced.is_set(), "a kind served again begins anew"
