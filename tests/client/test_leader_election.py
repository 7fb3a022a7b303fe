import asyncio
import datetime

import pytest

from steersman.api import kinds
from steersman.client import leader_election
from steersman.client.client import Client, Unreachable
from steersman.client.leader_election import DEFAULT_TIMING, LeaderElection, LostLeadership, Seen
from steersman.client.transport import InProcessTransport
from tests.aio import virtual
from tests.client.fake_server import FakeServer, running

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
STAMP = "2026-01-01T00:00:00.000000Z"


def lease(holder, seconds=15, transitions=3, acquired="earlier"):
    return {
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "leaseTransitions": transitions,
            "acquireTime": acquired,
        }
    }


@pytest.mark.parametrize(
    ("found", "ago", "expected"),
    [
        (None, 0, (STAMP, 0)),
        (lease("me"), 0, ("earlier", 3)),
        (lease("me"), 100, ("earlier", 3)),
        (lease("other"), 14.9, None),
        (lease("other"), 15, (STAMP, 4)),
        (lease(""), 0, (STAMP, 4)),
        ({"spec": {}}, 0, (STAMP, 1)),
        (lease("other", seconds=1), 1.5, (STAMP, 4)),
    ],
    ids=["none", "mine", "mine, long ago", "another's", "expired", "given back", "empty", "short"],
)
def test_decide(found, ago, expected):
    spec = leader_election.decide(Seen("me", found, ago, NOW, DEFAULT_TIMING))
    if expected is None:
        assert spec is None
    else:
        assert spec == {
            "holderIdentity": "me",
            "leaseDurationSeconds": 15,
            "acquireTime": expected[0],
            "renewTime": STAMP,
            "leaseTransitions": expected[1],
        }


class Candidates:
    """Several processes that want to lead, and who led when."""

    def __init__(self, clock):
        self.clock = clock
        self.server = FakeServer()
        self.leading: list[str] = []
        self.history: list[tuple[str, int]] = []

    def join(self, name, seconds=None):
        client = Client(InProcessTransport(self.server.handle), clock=self.clock)
        election = LeaderElection(client, self.clock, name="scheduler", identity=name)

        async def lead():
            self.leading.append(name)
            assert len(self.leading) == 1, "two leaders"
            self.history.append((name, round(self.clock.monotonic())))
            try:
                await self.clock.sleep(1e6 if seconds is None else seconds)
            finally:
                self.leading.remove(name)

        return election, election.run(lead)

    async def lease(self):
        client = Client(InProcessTransport(self.server.handle), clock=self.clock)
        return (await client.get(kinds.LEASE, "scheduler", "kube-system"))["spec"]


def story(test):
    def run(caplog):
        async def whole(clock):
            await test(Candidates(clock))

        virtual.run(whole)

    run.__name__ = test.__name__
    return run


@story
async def test_one_leads_and_renews(candidates):
    election, work = candidates.join("a")
    async with running(work):
        await candidates.clock.sleep(60)
        assert election.is_leader
        spec = await candidates.lease()
        assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("a", 0)
        assert spec["acquireTime"] == STAMP
        assert spec["renewTime"] > "2026-01-01T00:00:57"
    assert candidates.history == [("a", 0)]


@story
async def test_when_the_leader_ends_the_next_takes_over_at_once(candidates):
    _, first = candidates.join("a", seconds=30)
    other, second = candidates.join("b")
    async with running(second):
        await virtual.turns(1)
        async with running(first):
            await candidates.clock.sleep(60)
        assert sorted(name for name, _ in candidates.history) in (["a", "b"], ["b"])
        assert other.is_leader
        assert (await candidates.lease())["holderIdentity"] == "b"


@story
async def test_a_leader_that_dies_is_replaced_when_its_lease_expires(candidates):
    client = Client(InProcessTransport(candidates.server.handle), clock=candidates.clock)
    dead = {"metadata": {"name": "scheduler", "namespace": "kube-system"}, **lease("dead")}
    await client.create(kinds.LEASE, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **dead})
    _, work = candidates.join("a")
    async with running(work):
        await candidates.clock.sleep(60)
    assert candidates.history[0][0] == "a"
    assert 15 <= candidates.history[0][1] <= 20
    assert (await candidates.lease())["leaseTransitions"] == 4


@story
async def test_a_leader_that_cannot_renew_stops_before_another_starts(candidates):
    election, work = candidates.join("a")
    task = asyncio.ensure_future(work)
    await candidates.clock.sleep(5)
    assert election.is_leader
    away = [Unreachable("away")] * 1000
    candidates.server.refuse |= {"GET": [*away], "PUT": [*away]}
    with pytest.raises(LostLeadership, match="was not renewed in time"):
        await task
    assert candidates.leading == []
    stopped = candidates.clock.monotonic()
    assert stopped < 5 + 15 + 2


@story
async def test_a_leader_that_finds_another_in_its_place_stops(candidates):
    _, work = candidates.join("a")
    task = asyncio.ensure_future(work)
    await candidates.clock.sleep(5)
    client = Client(InProcessTransport(candidates.server.handle), clock=candidates.clock)
    await client.patch(kinds.LEASE, "scheduler", "kube-system", lease("b"))
    with pytest.raises(LostLeadership, match="b leads kube-system/scheduler now"):
        await task
    assert (await candidates.lease())["holderIdentity"] == "b"


@story
async def test_what_the_leader_raises_is_raised_and_the_lease_given_back(candidates):
    client = Client(InProcessTransport(candidates.server.handle), clock=candidates.clock)
    election = LeaderElection(client, candidates.clock, name="scheduler", identity="a")

    async def crash():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await election.run(crash)
    assert (await candidates.lease())["holderIdentity"] == ""


@story
async def test_never_two_leaders_among_many(candidates):
    works = [asyncio.ensure_future(candidates.join(name, seconds=7)[1]) for name in "abcdefgh"]
    await asyncio.gather(*works)
    assert sorted(name for name, _ in candidates.history) == list("abcdefgh")
