"""Watchers that write down all they are told, and compare it with history: watches are complete and in order.

Their connections break and their revisions are forgotten like everyone's.
"""

import contextlib
from collections import deque

from steersman.aio import tasks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.client.client import Client, Unreachable, WatchEvent
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.history import Change

WATCHED = (kinds.POD, kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.NODE, kinds.SERVICE, kinds.ENDPOINT_SLICE)
RETRY_SECONDS = 1.0


class Shadows:
    def __init__(self, all_of_them: "list[Shadow]") -> None:
        self._all = all_of_them

    def missing(self) -> list[str]:
        """Once quiet: what was never told."""
        return [text for one in self._all for text in one.missing()]


def start(cluster: SimulatedCluster, running: tasks.Tasks) -> Shadows:
    client = cluster.outsider("watcher").client("watcher", ("system:masters",))
    found = [Shadow(kind, client, cluster) for kind in WATCHED]
    for one in found:
        running.start(f"shadow of {one.kind.plural}", one.run())
    return Shadows(found)


class Shadow:
    """`_due`: what happened and has not been told."""

    def __init__(self, kind: Kind, client: Client, cluster: SimulatedCluster) -> None:
        self.kind = kind
        self._client = client
        self._cluster = cluster
        self._prefix = keys.prefix(kind)
        self._due: deque[Change] = deque()
        self._revision = ""
        cluster.history.subscribe(self._happened)

    def missing(self) -> list[str]:
        return [f"a watch of {self.kind.plural} was never told of revision {one.revision}" for one in self._due]

    async def run(self) -> None:
        while True:
            with contextlib.suppress(Unreachable):
                try:
                    if not self._revision:
                        await self._list()
                    await self._watch()
                except StatusError as refused:
                    if refused.code == 410:
                        self._revision = ""
            await self._cluster.clock.sleep(RETRY_SECONDS)

    async def _list(self) -> None:
        page = await self._client.list(self.kind)
        self._revision = page.resource_version
        while self._due and self._due[0].revision <= int(self._revision):
            self._due.popleft()

    async def _watch(self) -> None:
        events = self._client.watch(self.kind, resource_version=self._revision)
        async with contextlib.aclosing(events):
            async for event in events:
                self._told(event)
                self._revision = objects.resource_version(event.object)

    def _told(self, event: WatchEvent) -> None:
        if event.type == "BOOKMARK":
            late = [one.revision for one in self._due if one.revision <= objects.revision(event.object)]
            if late:
                self._wrong(f"a bookmark of revision {objects.resource_version(event.object)} before {late}")
            return
        if not self._due:
            self._wrong(f"{event.type} {objects.key(event.object)} was told, and nothing had happened")
            return
        due = self._due.popleft()
        wanted = "DELETED" if due.event.deleted else "ADDED" if due.before is None else "MODIFIED"
        said = (event.type, objects.key(event.object), objects.revision(event.object))
        if said != (wanted, due.key[len(self._prefix) :], due.revision):
            self._wrong(f"{said} was told instead of {wanted} {due.key} {due.revision}")

    def _wrong(self, text: str) -> None:
        self._cluster.problems.append(f"a watch of {self.kind.plural}: {text}")

    def _happened(self, change: Change) -> None:
        if change.resource == self._prefix:
            self._due.append(change)
