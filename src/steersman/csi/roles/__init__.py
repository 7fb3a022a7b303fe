"""What upstream's sidecars do beside a driver: make volumes, attach them, let them grow, change them, delete them.

Keeps true: for drivers that ask for it (CSIDriver annotation `storage.steersman.dev/controller: built-in`) and can be reached
from this process, claims get volumes, attachments are carried out, claims that wish for more or another class of attributes get
it, what is released goes; snapshots are taken, and their kinds defined where a driver can take them.
Leaves to others: binding and attaching decisions (controllers), mounting (kubelet). Drivers that bring sidecars do all this
themselves. Source: external-provisioner, external-attacher, external-resizer and external-snapshotter, whose words these are.
"""

import logging
from collections.abc import Awaitable, Callable

from steersman.aio import tasks, workqueue
from steersman.aio.clock import Clock
from steersman.client.cache import Cache, Caches
from steersman.client.client import Client, Unreachable
from steersman.client.events import Recorder
from steersman.csi import resizing
from steersman.csi.driver import DriverError
from steersman.csi.roles.attacher import Attacher
from steersman.csi.roles.modifier import Modifier
from steersman.csi.roles.parts import LaterError, Parts
from steersman.csi.roles.provisioner import Provisioner
from steersman.csi.roles.resizer import Resizer
from steersman.csi.roles.snapshotter import Snapshotter
from steersman.csi.snapshots.following import Followed
from steersman.csi.sources import SourceError
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

RATES = workqueue.Rates(initial_seconds=1.0, max_seconds=300.0)  # external-provisioner's retry-interval-start and -max
STALE_SECONDS = 0.05  # until the cache shows what was written meanwhile
WORKERS = 4

_Key = tuple[str, str]  # which step, of which object
_Step = Callable[[Object], Awaitable[None]]


class Roles:
    """One queue for all of them: each step of an object is taken by one worker at a time, and again after a pause when it
    failed."""

    def __init__(self, parts: Parts, caches: Caches) -> None:
        self._parts = parts
        provisioner, attacher = Provisioner(parts), Attacher(parts)
        self._snapshotter = snapshotter = Snapshotter(parts, caches)
        self._steps: dict[str, tuple[Cache | Followed, _Step]] = {
            "make": (parts.claims, provisioner.make),
            "grow": (parts.claims, Resizer(parts).grow),
            "modify": (parts.claims, Modifier(parts).modify),
            "delete": (parts.volumes, provisioner.delete),
            "attach": (parts.attachments, attacher.step),
            "define": (parts.drivers, snapshotter.define),
            "snapshot": (snapshotter.snapshots, snapshotter.snapshot),
            "content": (snapshotter.contents, snapshotter.content),
        }
        self._queue: workqueue.WorkQueue[_Key] = workqueue.WorkQueue(parts.clock, RATES)

    async def run(self) -> None:
        """Until cancelled."""
        parts = self._parts
        ends = [
            parts.claims.subscribe(self._noted("make", "grow", "modify")),
            parts.volumes.subscribe(self._noted("delete")),
            parts.attachments.subscribe(self._noted("attach")),
            parts.attachments.subscribe(self._detached),
            *self._snapshotter.start(),
            self._snapshotter.snapshots.subscribe(self._noted("snapshot")),
            self._snapshotter.contents.subscribe(self._noted("content")),
            self._snapshotter.contents.subscribe(self._of_snapshot),
            *(
                cache.subscribe(self._look_at_all)
                for cache in (parts.drivers, parts.csi_nodes, parts.attributes_classes)
            ),
        ]
        try:
            async with tasks.Tasks("csi roles") as running:
                for number in range(WORKERS):
                    running.start(f"worker {number}", self._work())
                await running.wait()
        finally:
            for end in ends:
                end()
            self._queue.shut_down()
            await parts.close()

    def _noted(self, *steps: str) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            if new is not None and (old is None or _facts(old) != _facts(new)):
                for step in steps:
                    self._queue.add((step, objects.key(new)))

        return changed

    def _detached(self, old: Object | None, new: Object | None) -> None:
        """A released volume waits for it."""
        if new is None and old is not None:
            self._queue.add(("delete", self._parts.volume_name_of(old)))

    def _of_snapshot(self, old: Object | None, new: Object | None) -> None:
        """A snapshot tells what becomes of its content, and waits for its end."""
        reference = (new or old or {})["spec"]["volumeSnapshotRef"]
        self._queue.add(("snapshot", f"{reference.get('namespace', '')}/{reference.get('name', '')}"))

    def _look_at_all(self, old: Object | None, new: Object | None) -> None:
        for step, (cache, _) in self._steps.items():
            for obj in cache.list():
                self._queue.add((step, objects.key(obj)))

    async def _work(self) -> None:
        while True:
            try:
                key = await self._queue.get()
            except workqueue.ShutDown:
                return
            step, name = key
            cache, take = self._steps[step]
            obj = cache.get(name)
            try:
                if obj is not None:
                    await take(obj)
            except LaterError as later:
                self._queue.add_after(key, later.seconds)
            except (DriverError, SourceError, StatusError, Unreachable) as failure:
                self._again(key, failure)
            else:
                self._queue.forget(key)
            finally:
                self._queue.done(key)

    def _again(self, key: _Key, failure: Exception) -> None:
        if isinstance(failure, StatusError) and failure.reason == "Conflict":
            self._queue.add_after(key, STALE_SECONDS)
            return
        _log.warning("%s %s: %s; trying again", *key, failure)
        self._queue.add_rate_limited(key)


def _facts(obj: Object) -> object:
    """What a step looks at. Not what the steps themselves tell: a failure that is told would end its own pause."""
    status, meta = obj.get("status") or {}, obj["metadata"]
    about = (objects.annotations(obj), meta.get("finalizers"), objects.is_terminating(obj), obj["spec"])
    is_nodes_turn = resizing.state_of(obj).startswith("Node")
    return *about, status.get("phase"), status.get("capacity"), status.get("attached"), is_nodes_turn


async def run(client: Client, caches: Caches, clock: Clock) -> None:
    """Until cancelled. Whoever calls runs `caches`."""
    recorder = Recorder(client, clock, "csi-controller")
    async with tasks.Tasks("csi") as running:
        running.start("events", recorder.run())
        running.start("roles", Roles(Parts(client, caches, clock, recorder), caches).run())
        await running.wait()
