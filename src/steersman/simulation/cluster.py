"""The cluster of one run: the parts, wired over a network that may do anything to their messages.

Parts: the API server over a store that outlives it; controllers; scheduler; proxy (packet rules and DNS records); nodes. Each
lives and dies by itself. Nothing here knows what the parts do.
"""

import asyncio
import contextlib
import functools

from steersman import controllers
from steersman.aio import tasks
from steersman.aio.clock import Chance, VirtualClock
from steersman.aio.virtual_loop import VirtualLoop
from steersman.api import kinds
from steersman.apiserver.server import ApiServer, Options
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.leader_election import LostLeadership
from steersman.client.shared_parsing import SharedParsing
from steersman.dns.cached_records import CachedRecords
from steersman.dns.zone import Zone
from steersman.kubelet.local_paths import LocalPaths
from steersman.kubelet.pods_by_node import PodsByNode
from steersman.proxy import controller as proxy
from steersman.scheduler import controller as scheduler
from steersman.serving.messages import Request, Response
from steersman.simulation import plan, proxies
from steersman.simulation.history import History
from steersman.simulation.network import Network, Serving
from steersman.simulation.node import LEASE_SECONDS, Rack, SimulatedNode
from steersman.simulation.part import Incarnation, Part
from steersman.simulation.storage import SimulatedStore, WayToStore
from steersman.simulation.weather import Weather
from steersman.store.memory import MemoryStore

CONTROLLERS = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
PROXY = "system:kube-proxy"
MASTERS = ("system:masters",)

# Pods leave a lost node after this; upstream waits 300 s, which only makes runs longer.
UNREACHABLE_SECONDS = 20
# Beyond this many nodes they share one watch of pods in groups of so many.
NODES_ALONE_MAX = 10
RACK_NODES = 100


@functools.cache
def bootstrapped() -> MemoryStore:
    """A store in which an API server has started once: what every cluster has."""
    store = MemoryStore()

    async def boot(loop: VirtualLoop) -> None:
        server = ApiServer(store, clock=VirtualClock(loop, "bootstrap"))
        await server.start()
        await server.close()

    loop = VirtualLoop()
    loop.run_until_complete(boot(loop))
    loop.close()
    return store


class SimulatedCluster:
    """`start` it in a VirtualLoop; `close` it."""

    def __init__(self, seed: int, nodes: int, base: MemoryStore, managers: int = 1, servers: int = 1) -> None:
        """`base` is taken over: a fork of `bootstrapped()`."""
        self.seed = seed
        self.clock = VirtualClock(asyncio.get_running_loop(), f"{seed}/world")
        self.weather = Weather(seed)
        self.problems: list[str] = []
        parsing = SharedParsing()
        self.history = History(base, parsing)
        self.store = SimulatedStore(base.content(), self.history, self.weather, self.clock)
        serving = plan.servers_of(servers)
        self.network = Network(
            len(serving), Chance(seed, "balancer"), self.weather, self.clock, self._acknowledged, parsing
        )
        self.caches: dict[str, Caches] = {}
        self.rules = proxies.MemoryRules()
        self.zone: Zone | None = None
        self.parts: dict[str, Part] = {}
        self._racks: dict[str, Rack] = {}
        self._tasks = tasks.Tasks("simulation")
        managing = plan.managers_of(managers)
        for name in serving:
            self._add(name, functools.partial(self._serve, name=name))
        for name in managing:
            self._add(name, functools.partial(self._control, name=name, elects=len(managing) > 1))
        self._add("scheduler", self._schedule)
        self._add("proxy", self._proxy)
        self.nodes: list[SimulatedNode] = []
        for number in range(nodes):
            node = SimulatedNode(number, self.clock, self._rack_of(number) if nodes > NODES_ALONE_MAX else None)
            self.nodes.append(node)
            self._add(node.name, node.live)

    def start(self) -> None:
        for part in self.parts.values():
            self._tasks.start(part.name, part.run())

    async def close(self) -> None:
        self.weather.clear()
        await self._tasks.close()
        await self.store.close()
        for node in self.nodes:
            await node.runtime.close()

    def outsider(self, name: str) -> Incarnation:
        """Somebody who never crashes: a user, a watcher."""
        return Incarnation(Part(name, self.seed, self.network, _nothing, self.problems.append), 1)

    def is_whole(self) -> bool:
        return all(part.is_up for part in self.parts.values()) and self.network.is_served

    def _add(self, name: str, live: "functools.partial[object] | object") -> None:
        self.parts[name] = Part(name, self.seed, self.network, live, self.problems.append)  # type: ignore[arg-type]

    # Lives

    async def _serve(self, life: Incarnation, *, name: str) -> None:
        options = Options(unreachable_seconds=UNREACHABLE_SECONDS)
        store = WayToStore(self.store, self.parts[name].step)
        server = ApiServer(store, clock=life.clock, options=options)
        serving = Serving(server.handle)
        try:
            await server.start()
            self.network.servings[name] = serving
            await _forever()
        finally:
            self.network.servings.pop(name, None)
            serving.abort()
            await server.close()

    async def _control(self, life: Incarnation, *, name: str, elects: bool) -> None:
        client = life.client(CONTROLLERS, MASTERS)
        while True:
            with contextlib.suppress(LostLeadership):  # the process ends, and its successor asks for the lease again
                await self._manage(life, client, name, f"{name}-{life.number}" if elects else "")

    async def _manage(self, life: Incarnation, client: Client, name: str, identity: str) -> None:
        caches = Caches(client, life.clock)
        options = controllers.Options(
            node_grace_seconds=float(LEASE_SECONDS),
            node_startup_grace_seconds=60.0,
            node_missing_seconds=10.0,
            leader_identity=identity,
        )
        self.caches[name] = caches
        async with tasks.Tasks(name) as running:
            running.start("caches", caches.run())
            await controllers.run(client, caches, life.clock, options)

    async def _schedule(self, life: Incarnation) -> None:
        client = life.client(SCHEDULER, MASTERS)
        caches = self.caches["scheduler"] = Caches(client, life.clock)
        async with tasks.Tasks("scheduler") as running:
            running.start("scheduler", scheduler.run(client, caches, life.clock))
            running.start("caches", caches.run())
            await running.wait()

    async def _proxy(self, life: Incarnation) -> None:
        caches = self.caches["proxy"] = Caches(life.client(PROXY, MASTERS), life.clock)
        self.zone = Zone(CachedRecords(caches))
        async with tasks.Tasks("proxy") as running:
            running.start(
                "rules", proxy.run(caches, "node-1", {"IPv4": self.rules}, life.clock, offload=proxies.at_once)
            )
            running.start("caches", caches.run())
            await running.wait()

    def _rack_of(self, number: int) -> Rack:
        name = f"rack-{number // RACK_NODES + 1}"
        if name not in self._racks:
            client = self.outsider(name).client("system:kubelets", MASTERS)
            caches = self.caches[name] = Caches(client, self.clock)
            rack = self._racks[name] = Rack(PodsByNode(caches.of(kinds.POD)), caches.of(kinds.NODE))
            self._tasks.start(name, caches.run())
            self._tasks.start(
                f"local paths of {name}", LocalPaths(lambda _: client, rack.nodes, self.clock, rack.roots).run()
            )
        return self._racks[name]

    def _acknowledged(self, part: str, request: Request, answer: Response) -> None:
        """What the server said it wrote must be what history has."""
        if answer.status >= 300 or not answer.body.startswith(b'{"kind":"'):
            return
        if answer.body[9:60].partition(b'"')[0].endswith(b"List"):
            return  # what a collection was before it was deleted
        _, found, rest = answer.body[:300].partition(b'"metadata":{"resourceVersion":"')
        if not found:
            return
        revision = int(rest[: rest.index(b'"')])
        known = self.history.values_at(revision)
        if known and answer.body not in known:
            text = (
                f"{part} was told that {request.method} {request.path} is revision {revision}, which is something else"
            )
            self.problems.append(text)
        if not known and revision > self.history.base_revision:
            self.problems.append(f"{part} was told of revision {revision} ({request.path}), which never happened")


async def _nothing(life: Incarnation) -> None:
    return


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()
