"""The folders of the class `local-path` on this node: removed when the Node says so.

Keeps true: every wish in the Node is answered there: the folder is gone, or why it is not yet.
Reads: its Nodes.  Writes: the answers, into the Node.
Leaves to others: making the folder (when a pod first mounts it), deciding the deletion, the volume (controllers/local_path).
Nothing outside the node's own folder of volumes is ever removed: a wish has the name of a volume, and no path.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.api import kinds, local_path
from steersman.client.cache import Cache, Caches
from steersman.client.client import Client, Unreachable
from steersman.containers import trees
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

Wish = tuple[str, str]  # names of the node and of the volume


def cache_of(caches: Caches, node: str) -> Cache:
    """The Node that a kubelet follows: its own."""
    return caches.of(kinds.NODE, field_selector=f"metadata.name={node}")


class LocalPaths:
    """`roots`: the folder of volumes of each node; None for nodes on paper, which have none. `nodes` holds these nodes.
    `client_of` a node: its own."""

    def __init__(
        self, client_of: Callable[[str], Client], nodes: Cache, clock: Clock, roots: Mapping[str, Path | None]
    ) -> None:
        self._client_of = client_of
        self._nodes = nodes
        self._clock = clock
        self._roots = roots
        self._going: set[Wish] = set()
        self._wished: asyncio.Queue[Wish] = asyncio.Queue()

    async def run(self) -> None:
        """Until cancelled."""
        end = self._nodes.subscribe(self._changed)
        try:
            async with Tasks("local paths") as running:
                running.start("removals", self._remove_for_ever(running))
                await running.wait()
        finally:
            end()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or objects.name(new) not in self._roots:
            return
        for volume, answer in local_path.wishes(new).items():
            wish = objects.name(new), volume
            if answer != local_path.DONE and wish not in self._going:
                self._going.add(wish)
                self._wished.put_nowait(wish)

    async def _remove_for_ever(self, running: Tasks) -> None:
        """Side by side: a large folder takes its time."""
        while True:
            wish = await self._wished.get()
            running.start(wish[1], self._remove(wish))

    async def _remove(self, wish: Wish) -> None:
        pauses = backoff.Backoff(self._clock)
        try:
            while self._answer_to(wish) not in (None, local_path.DONE):
                try:
                    answer = await self._try(wish)
                    if answer != self._answer_to(wish):
                        await self._client_of(wish[0]).patch(kinds.NODE, wish[0], "", local_path.wish(wish[1], answer))
                    if answer == local_path.DONE:
                        return
                except (StatusError, Unreachable) as failure:
                    _log.warning("volume %s: its node does not say that its folder is gone: %s", wish[1], failure)
                await pauses.wait()
        finally:
            self._going.discard(wish)

    def _answer_to(self, wish: Wish) -> str | None:
        """What the Node says; None when nobody wishes it any more."""
        return local_path.wishes(self._nodes.get(wish[0])).get(wish[1])

    async def _try(self, wish: Wish) -> str:
        root = self._roots[wish[0]]
        try:
            if root is not None:
                await asyncio.to_thread(_remove_folders, root, wish[1])
            return local_path.DONE
        except OSError as failure:
            _log.warning("volume %s: its folder stays for now: %s", wish[1], failure)
            return f"{local_path.FAILED}{failure}"


def _remove_folders(root: Path, volume: str) -> None:
    """Raises OSError."""
    for folder in root.iterdir() if root.exists() else ():
        if local_path.is_folder_of(volume, folder.name):
            trees.remove(folder)
