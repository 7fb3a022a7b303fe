"""The folders of the class `local-path` on this node: a volume's folder goes before the volume does.

Keeps true: a volume whose deletion was decided loses its folder, and only then the finalizer that stands for the folder.
Reads: PersistentVolumes of its nodes.  Writes: that finalizer, Events.
Leaves to others: making the folder (when a pod first mounts it), deciding the deletion (controllers/local_path).
Nothing outside the node's own folder of volumes is ever removed.
"""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.api import kinds, local_path, volumes
from steersman.client.cache import Cache, Caches
from steersman.client.client import Client, Unreachable
from steersman.containers import trees
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)


class Recorder(Protocol):
    def event(self, obj: Object, type: str, reason: str, message: str) -> None: ...  # noqa: A002


def cache_of(caches: Caches, node: str = "") -> Cache:
    """The volumes of one node, or (a process of many nodes) of all."""
    selector = f"{local_path.NODE}={node}" if node else local_path.NODE
    return caches.of(kinds.PERSISTENT_VOLUME, label_selector=selector)


def is_condemned(volume: Object) -> bool:
    """Nobody else has a say in it any more."""
    finalizers = volume["metadata"].get("finalizers") or ()
    is_kept = volumes.VOLUME_PROTECTION in finalizers
    return objects.is_terminating(volume) and local_path.FINALIZER in finalizers and not is_kept


def refusal(volume: Object, root: Path) -> str:
    """Why the folder must not be removed; empty when it may."""
    path = local_path.path_of(volume)
    if path.parent != PurePosixPath(root) or not path.name.startswith(f"{objects.name(volume)}_"):
        return f"{path} is not a folder that was made for this volume in {root}"
    return ""


class LocalPaths:
    """`roots`: the folder of volumes of each node; None for nodes on paper, which have none."""

    def __init__(
        self, client: Client, cache: Cache, clock: Clock, recorder: Recorder, roots: Mapping[str, Path | None]
    ) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock
        self._recorder = recorder
        self._roots = roots
        self._going: set[str] = set()
        self._condemned: asyncio.Queue[Object] = asyncio.Queue()

    async def run(self) -> None:
        """Until cancelled."""
        end = self._cache.subscribe(self._changed)
        try:
            async with Tasks("local paths") as running:
                running.start("removals", self._remove_for_ever(running))
                await running.wait()
        finally:
            end()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or local_path.node_of(new) not in self._roots or not is_condemned(new):
            return
        if objects.uid(new) not in self._going:
            self._going.add(objects.uid(new))
            self._condemned.put_nowait(new)

    async def _remove_for_ever(self, running: Tasks) -> None:
        """Side by side: a large folder takes its time."""
        while True:
            volume = await self._condemned.get()
            running.start(objects.name(volume), self._remove(objects.name(volume), objects.uid(volume)))

    async def _remove(self, name: str, uid: str) -> None:
        pauses = backoff.Backoff(self._clock)
        try:
            while (volume := self._cache.get(name)) is not None and objects.uid(volume) == uid:
                try:
                    await self._remove_folder(volume)
                    await self._let_go(volume)
                    return
                except (OSError, StatusError, Unreachable) as failure:
                    _log.warning("volume %s: its folder stays for now: %s", name, failure)
                    if isinstance(failure, OSError):
                        self._recorder.event(volume, "Warning", "VolumeFailedDelete", str(failure))
                await pauses.wait()
        finally:
            self._going.discard(uid)

    async def _remove_folder(self, volume: Object) -> None:
        """Raises OSError."""
        root = self._roots[local_path.node_of(volume)]
        if root is None or volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
            return
        if why := refusal(volume, root):
            raise PermissionError(why)
        folder = Path(local_path.path_of(volume))
        if await asyncio.to_thread(folder.exists):
            await asyncio.to_thread(trees.remove, folder)

    async def _let_go(self, volume: Object) -> None:
        finalizers = [one for one in volume["metadata"]["finalizers"] if one != local_path.FINALIZER]
        meta = {"resourceVersion": objects.resource_version(volume), "finalizers": finalizers or None}
        try:
            await self._client.patch(kinds.PERSISTENT_VOLUME, objects.name(volume), "", {"metadata": meta})
        except StatusError as refused:
            if refused.code != 404:
                raise
