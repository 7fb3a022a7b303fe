"""One trial: bring the copy up, let it come to rest, do to it what was asked, and watch."""

import dataclasses
import datetime
from collections.abc import Iterator, Sequence

from steersman import controllers
from steersman.aio import tasks
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler import explain
from steersman.simulation.what_if import effects
from steersman.simulation.what_if.effects import Courses, Sample
from steersman.simulation.what_if.scenario import Scenario, carry_out, nodes_of
from steersman.simulation.what_if.taking import Taken
from steersman.store.memory import MemoryStore
from steersman.testing.cluster import AsyncCluster
from steersman.testing.driver import VirtualDriver
from steersman.testing.parts import Remains
from steersman.testing.saved import Snapshot

LOOK_SECONDS = 0.5
REST_SECONDS = 20.0  # so long nothing changes before it begins
REST_SECONDS_MAX = 900.0
PUTS_AT_ONCE = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Delays:
    """Those of the cluster: silence after which a node counts as lost, and how long its pods stay then."""

    node_grace_seconds: float
    unreachable_seconds: int


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """`waiting`: pods without a node at the end, each with what speaks against nodes."""

    courses: Courses
    waiting: dict[str, dict[str, list[str]]]
    pods: int
    nodes: int


def run(taken: Taken, scenario: Scenario, seconds: float, now: datetime.datetime, delays: Delays) -> Report:
    """In virtual time. Raises scenario.Unknown."""
    nodes_of((*scenario.lost, *scenario.drained), taken.labels)  # refused before anything is tried
    driver = VirtualDriver(0, now)
    try:
        return driver.run(_trial(taken, scenario, seconds, driver.clock, delays))
    finally:
        driver.close()


async def _trial(taken: Taken, scenario: Scenario, seconds: float, clock: Clock, delays: Delays) -> Report:
    store = MemoryStore()
    for start in range(0, len(taken.puts), PUTS_AT_ONCE):
        await store.txn(taken.puts[start : start + PUTS_AT_ONCE])
    begin = Snapshot(store, Remains(), clock.now())
    async with (
        AsyncCluster(
            taken.nodes,
            clock=clock,
            begin=begin,
            controlling=controllers.Options(node_grace_seconds=delays.node_grace_seconds),
            unreachable_seconds=delays.unreachable_seconds,
        ) as cluster,
        tasks.Tasks("what if") as running,
    ):
        look = _Look(cluster, clock)
        running.start("what is seen", look.run())
        before = await look.at_rest()
        courses = Courses(before)
        drain = await carry_out(scenario, cluster, taken.labels)
        began = clock.monotonic()
        while clock.monotonic() < began + seconds:
            await drain.step(look.pods())
            await clock.sleep(LOOK_SECONDS)
            courses.note(clock.monotonic() - began, look.sample())
        return Report(courses, dict(look.waiting()), len(look.pods()), len(taken.nodes))


class _Look:
    """The copy, mirrored."""

    def __init__(self, cluster: AsyncCluster, clock: Clock) -> None:
        self._clock = clock
        self._caches = Caches(cluster.client.raw, clock)
        self._slices = self._caches.of(kinds.ENDPOINT_SLICE)
        self._pods = self._caches.of(kinds.POD)
        self._workloads = [self._caches.of(kind) for kind in effects.WORKLOADS]
        self._judged = {kind: self._caches.of(kind) for kind in explain.READS}

    async def run(self) -> None:
        await self._caches.run()

    async def at_rest(self) -> Sample:
        """Once nothing has changed for a while."""
        for cache in (self._slices, self._pods, *self._workloads, *self._judged.values()):
            await cache.synced.wait()
        until = self._clock.monotonic() + REST_SECONDS_MAX
        seen, since = self.sample(), self._clock.monotonic()
        while self._clock.monotonic() < min(until, since + REST_SECONDS):
            await self._clock.sleep(LOOK_SECONDS)
            now = self.sample()
            if now != seen:
                seen, since = now, self._clock.monotonic()
        return seen

    def pods(self) -> Sequence[Object]:
        return [*self._pods.list()]

    def sample(self) -> Sample:
        workloads = [workload for cache in self._workloads for workload in cache.list()]
        return effects.sample(self._slices.list(), workloads)

    def waiting(self) -> Iterator[tuple[str, dict[str, list[str]]]]:
        for pod in self.pods():
            if not pod["spec"].get("nodeName") and (pod.get("status") or {}).get("phase") == "Pending":
                judged = explain.verdict(pod, lambda kind: self._judged[kind].list())
                yield objects.key(pod), dict(judged.refusals)
