"""A cluster for controller tests: the real API server on a memory store, the real loops, and a node that pretends.

The pretended node binds each pod after `bind_seconds`, makes it ready after `start_seconds` and removes it
`stop_seconds` after it was deleted. Everything runs in virtual time.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from steersman import controllers
from steersman.aio import tasks
from steersman.aio.clock import VirtualClock
from steersman.aio.virtual_loop import VirtualLoop
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver.server import ApiServer, Options
from steersman.client.cache import Caches
from steersman.client.client import Client, WatchEvent
from steersman.client.transport import InProcessTransport
from steersman.controllers.daemonset import eligibility
from steersman.meta import conditions, objects, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.store.contract import Store
from steersman.store.memory import MemoryStore
from tests.apiserver import kit

DEFAULTS = controllers.Options()


def run(story: Callable[[], Awaitable[Any]]) -> Any:
    """Run an async story in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_awaited(story))


async def _awaited(story: Callable[[], Awaitable[Any]]) -> Any:
    return await story()


@dataclasses.dataclass
class Node:
    """How the pretended node behaves; change it as the story goes on. A silent one does nothing at all."""

    name: str = "node-1"
    bind_seconds: float = 0.01
    start_seconds: float = 0.1
    stop_seconds: float = 0.1
    ready: bool = True
    silent: bool = False


class LateClient(Client):
    """Its watches are behind by a random time, each by its own: what controllers see is stale and out of step."""

    watch_delay_seconds = 0.0

    async def watch(self, *arguments: Any, **more: Any) -> AsyncGenerator[WatchEvent, None]:
        async with contextlib.aclosing(super().watch(*arguments, **more)) as events:
            async for event in events:
                if self.watch_delay_seconds:
                    await self.clock.sleep(self.clock.jitter(self.watch_delay_seconds, 1.0))
                yield event


class Paper:
    def __init__(
        self,
        server: ApiServer,
        client: Client,
        caches: Caches,
        clock: VirtualClock,
        loops: controllers.Controllers,
        store: Store,
    ) -> None:
        self.server = server
        self.client = client
        self.caches = caches
        self.clock = clock
        self.controllers = loops
        self.store = store
        self.nodes = [Node()]
        self.pods_ever: set[str] = set()  # uids
        self.steps: list[tuple[int, int]] = []  # (pods not ended, available pods) after each change of a pod

    async def create(self, kind: Kind, obj: Object) -> Object:
        return await self.client.create(kind, obj, objects.namespace(obj) or ("default" if kind.namespaced else ""))

    async def get(self, kind: Kind, name: str, namespace: str = "default") -> Object:
        return await self.client.get(kind, name, namespace if kind.namespaced else "")

    async def all(self, kind: Kind, namespace: str = "default") -> list[Object]:
        return (await self.client.list(kind, namespace if kind.namespaced else "")).items

    async def patch(self, kind: Kind, name: str, body: Any, namespace: str = "default") -> Object:
        return await self.client.patch(kind, name, namespace if kind.namespaced else "", body)

    async def delete(self, kind: Kind, name: str, namespace: str = "default", **more: Any) -> None:
        await self.client.delete(kind, name, namespace if kind.namespaced else "", **more)

    async def settle(self, seconds: float = 5.0) -> None:
        await self.clock.sleep(seconds)

    async def events(self, reason: str = "") -> list[str]:
        found = await self.all(kinds.EVENT)
        return sorted(str(one.get("message")) for one in found if not reason or one.get("reason") == reason)


@contextlib.asynccontextmanager
async def cluster(
    options: controllers.Options = DEFAULTS,
    nodes: int = 1,
    watch_delay_seconds: float = 0.0,
    *,
    token_key: bool = False,
) -> AsyncIterator[Paper]:
    clock = VirtualClock(asyncio.get_running_loop())
    store = MemoryStore()
    known = Options(token_key_pem=kit.token_key() if token_key else b"")
    server = ApiServer(store, clock=clock, options=known)
    await server.start()
    transport = InProcessTransport(server.handle, "kubernetes-admin", ("system:masters",))
    client = LateClient(transport, clock=clock)
    client.watch_delay_seconds = watch_delay_seconds
    caches = Caches(client, clock)
    paper = Paper(server, client, caches, clock, controllers.Controllers(client, caches, clock, options), store)
    paper.nodes = [Node(f"node-{number + 1}") for number in range(nodes)]
    running = tasks.Tasks("paper")
    try:
        running.start("controllers", paper.controllers.run())
        pretender = _Pretender(paper, running)
        running.start("caches", caches.run())
        await caches.wait_synced()
        for node in paper.nodes:
            running.start(node.name, pretender.beat(node))
        await clock.sleep(1.0)
        yield paper
        assert all(loop.statistics.crashes == 0 for loop in paper.controllers.loops), paper.controllers.statistics()
    finally:
        await running.close()
        await server.close()


class _Pretender:
    def __init__(self, paper: Paper, running: tasks.Tasks) -> None:
        self._paper = paper
        self._running = running
        self._known: set[tuple[str, str]] = set()
        self._next = 0
        paper.caches.of(kinds.POD).subscribe(self._changed)
        paper.caches.of(kinds.NODE)

    async def beat(self, node: Node) -> None:
        """Register, then report every two seconds."""
        paper = self._paper
        await paper.create(kinds.NODE, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name}})
        while True:
            if not node.silent:
                await self._report(node)
            await paper.clock.sleep(2.0)

    async def _report(self, node: Node) -> None:
        paper = self._paper
        stamp = times.format_seconds(paper.clock.now())
        condition = {**conditions.make("Ready", "True", "KubeletReady", "ready"), "lastHeartbeatTime": stamp}
        with contextlib.suppress(StatusError):  # deleted in the story
            found = await paper.get(kinds.NODE, node.name)
            told = conditions.set((found.get("status") or {}).get("conditions") or [], condition, paper.clock.now())
            body = {"status": {"conditions": told}}
            await paper.client.patch(kinds.NODE, node.name, "", body, subresource="status")

    def _changed(self, old: Object | None, new: Object | None) -> None:
        pods = self._paper.caches.of(kinds.POD).list()
        alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        self._paper.steps.append((len(alive), sum(conditions.is_true(pod, "Ready") for pod in alive)))
        if new is None:
            return
        self._paper.pods_ever.add(objects.uid(new))
        step = "stop" if objects.is_terminating(new) else "start"
        if (objects.uid(new), step) not in self._known:
            self._known.add((objects.uid(new), step))
            self._running.start(step, self._stop(new) if step == "stop" else self._start(new))

    async def _start(self, pod: Object) -> None:
        paper = self._paper
        node = self._pick(pod)
        await paper.clock.sleep(node.bind_seconds)
        name, space = objects.name(pod), objects.namespace(pod)
        with contextlib.suppress(StatusError):  # deleted meanwhile
            if not pod["spec"].get("nodeName"):
                target = {"apiVersion": "v1", "kind": "Node", "name": node.name}
                binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
                await paper.client.create(kinds.POD, binding, space, subresource="binding", name=name)
            await paper.clock.sleep(node.start_seconds)
            self._next += 1
            ip = f"10.244.{self._next // 250}.{self._next % 250 + 1}"
            word = "True" if node.ready else "False"
            told = conditions.set([], conditions.make("Ready", word), paper.clock.now())
            status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": told}
            if not node.silent:
                await paper.client.patch(kinds.POD, name, space, {"status": status}, subresource="status")

    async def _stop(self, pod: Object) -> None:
        paper = self._paper
        node = next((one for one in paper.nodes if one.name == pod["spec"].get("nodeName")), paper.nodes[0])
        await paper.clock.sleep(node.stop_seconds)
        with contextlib.suppress(StatusError):
            if not node.silent:
                await paper.delete(kinds.POD, objects.name(pod), objects.namespace(pod), grace_seconds=0)

    def _pick(self, pod: Object) -> Node:
        wanted = eligibility.target(pod)  # of a DaemonSet's pod
        alive = [node for node in self._paper.nodes if not node.silent and wanted in ("", node.name)]
        self._next += 1
        return alive[self._next % len(alive)]
