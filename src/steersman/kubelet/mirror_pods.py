"""Mirror pods: how the node's static pods show in the API.

Keeps true: each static pod has one mirror, made for what its file says now; one that was deleted, or says something else, is
taken away and made again; a mirror without a static pod goes. Writes: mirror pods. Their status is the status writer's.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from steersman.aio.backoff import Backoff, Pauses
from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.api import kinds
from steersman.client.client import Client, Unreachable
from steersman.kubelet import static_pods
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

PAUSES = Pauses(initial_seconds=0.2, max_seconds=10.0)


class MirrorPods:
    """`node` is the Node as last seen. `shown(static pod, its mirror)` is called for each good mirror that is seen."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        tasks: Tasks,
        node: Callable[[], Object],
        shown: Callable[[Object, Object], None],
    ) -> None:
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._node = node
        self._shown = shown
        self._wanted: dict[str, Object] = {}
        self._seen: dict[str, Object] = {}
        self._working: dict[str, asyncio.Task[None]] = {}

    def want(self, pods: Mapping[str, Object]) -> None:
        """These static pods (by uid), and no others."""
        before = self._wanted
        self._wanted = {objects.key(pod): pod for pod in pods.values()}
        for key in before.keys() | self._wanted.keys():
            if before.get(key) is not self._wanted.get(key):
                self._work(key)

    def saw(self, old: Object | None, new: Object | None) -> None:
        """A mirror pod of this node in the API: new, changed or gone."""
        pod = new if new is not None else old
        assert pod is not None
        key = objects.key(pod)
        if new is None:
            self._seen.pop(key, None)
        else:
            self._seen[key] = new
        self._work(key)

    def _work(self, key: str) -> None:
        if self._is_good(key):
            self._shown(self._wanted[key], self._seen[key])
        elif key not in self._working and self._lacks(key):
            task = self._working[key] = self._tasks.start(f"mirror of {key}", self._make_good(key))
            task.add_done_callback(lambda _: self._working.pop(key, None))

    def _is_good(self, key: str) -> bool:
        wanted, seen = self._wanted.get(key), self._seen.get(key)
        if wanted is None or seen is None or objects.is_terminating(seen):
            return False
        return static_pods.hash_of(seen) == objects.annotations(wanted)[static_pods.HASH]

    def _lacks(self, key: str) -> bool:
        """Something has to be done about it: take a bad one away, or make one for a pod that is not ending."""
        wanted = self._wanted.get(key)
        return key in self._seen or (wanted is not None and not objects.is_terminating(wanted))

    async def _make_good(self, key: str) -> None:
        pauses = Backoff(self._clock, PAUSES)
        while not self._is_good(key) and self._lacks(key):
            try:
                if key in self._seen:
                    await self._remove(key)
                else:
                    made = static_pods.mirror_of(self._wanted[key], self._node())
                    self._seen[key] = await self._client.create(kinds.POD, made, made["metadata"]["namespace"])
            except (StatusError, Unreachable) as refused:
                _log.warning("mirror of %s: %s", key, refused)
                await pauses.wait()
        if self._is_good(key):
            self._shown(self._wanted[key], self._seen[key])

    async def _remove(self, key: str) -> None:
        seen = self._seen[key]
        try:
            await self._client.delete(
                kinds.POD, objects.name(seen), objects.namespace(seen), uid=objects.uid(seen), grace_seconds=0
            )
        except StatusError as refused:
            if refused.code not in (404, 409):
                raise
        if self._seen.get(key) is seen:
            del self._seen[key]
