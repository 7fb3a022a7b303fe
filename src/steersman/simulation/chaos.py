"""Carry out the faults of a plan: each at its time, each ended at its time."""

from steersman.aio import tasks
from steersman.aio.clock import Chance
from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.plan import Fault

# An armed crash waits this long for its message, then happens anyway.
ARMED_SECONDS_MAX = 10.0


class Chaos:
    def __init__(self, cluster: SimulatedCluster, faults: tuple[Fault, ...]) -> None:
        self._cluster = cluster
        self._faults = faults

    async def run(self) -> None:
        """Until the last fault has ended."""
        async with tasks.Tasks("chaos") as running:
            for fault in self._faults:
                running.start(str(fault), self._strike(fault))
            await running.wait()

    async def _strike(self, fault: Fault) -> None:
        cluster, clock = self._cluster, self._cluster.clock
        await clock.sleep(fault.at)
        ends = fault.at + fault.seconds + (ARMED_SECONDS_MAX if fault.kind == "crash" else 0.0)
        cluster.history.struck.append((fault.kind, fault.part, ends))
        match fault.kind:
            case "close-watch":
                self._end_watches(fault.part)
            case "compact":
                await cluster.store.compact(cluster.store.revision)
                self._end_watches("*")
            case "crash":
                part = cluster.parts[fault.part]
                part.crash_soon(int(fault.amount), fault.seconds)
                await clock.sleep(ARMED_SECONDS_MAX)
                part.crash_if_armed()
                await clock.sleep(fault.seconds)
            case "skew":
                part = cluster.parts[fault.part]
                part.skew(fault.amount)
                await clock.sleep(fault.seconds)
                part.skew(0.0)
            case "node-loss":
                await self._lose_node(fault)
            case "container-crash":
                await self._crash_containers(fault)
            case _:
                cluster.weather.begin(fault)
                await clock.sleep(fault.seconds)
                cluster.weather.end(fault)

    def _end_watches(self, part: str) -> None:
        for serving in self._cluster.network.servings.values():
            serving.end_watches(part)

    async def _lose_node(self, fault: Fault) -> None:
        cluster = self._cluster
        part = cluster.parts[fault.part]
        node = next(node for node in cluster.nodes if node.name == fault.part)
        part.crash(fault.seconds)
        while part.is_up:
            await cluster.clock.sleep(0)
        await node.lose()
        await cluster.clock.sleep(fault.seconds)

    async def _crash_containers(self, fault: Fault) -> None:
        cluster = self._cluster
        chance = Chance(cluster.seed, "containers", fault.number)
        node = next(node for node in cluster.nodes if node.name == fault.part)
        ends = cluster.clock.monotonic() + fault.seconds
        while cluster.clock.monotonic() < ends:
            await cluster.clock.sleep(chance.uniform(0.5, 10))
            await node.crash_container(chance.randrange(1000), chance.choice([0, 1, 137]))
