"""Tell pods at once that a ConfigMap or Secret which they mount has changed.

Keeps true: one watch for each mounted object of the node, for as long as a pod holds it, and none for what never changes:
the cluster's own certificate, which every pod mounts, and immutable objects. So pods that mount nothing of their own cost
nothing. Beyond `WATCHES_MOST`, and while a watch is down, the volumes' own period finds a change.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.api import volumes
from steersman.client.client import Client, Unreachable
from steersman.kubelet import references
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

WATCHES_MOST = 200  # each is a connection to the API server
WATCH_SECONDS = 300  # client-go's reflector: after this the server ends a watch, and load moves
PAUSES = backoff.Pauses(initial_seconds=1.0)
ROOT_CERTIFICATE = "kube-root-ca.crt"

Key = tuple[str, str, str]  # kind, namespace, name


@dataclasses.dataclass(slots=True)
class _Watched:
    task: asyncio.Task[None]
    holders: dict[str, Callable[[], None]] = dataclasses.field(default_factory=dict)


class ReferenceWatches:
    def __init__(self, client: Client, clock: Clock, tasks: Tasks, found: references.References) -> None:
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._references = found
        self._watched: dict[Key, _Watched] = {}

    def hold(self, uid: str, pod: Object, changed: Callable[[], None]) -> None:
        """`changed()` is called when something that the pod mounts may have changed, until `release(uid)`."""
        for key in mounted(pod):
            watched = self._watched.get(key)
            if watched is None:
                if len(self._watched) >= WATCHES_MOST:
                    continue
                task = self._tasks.start(f"watch {'/'.join(key)}", self._watch(key))
                watched = self._watched[key] = _Watched(task)
            watched.holders[uid] = changed

    def release(self, uid: str) -> None:
        for key, watched in list(self._watched.items()):
            watched.holders.pop(uid, None)
            if not watched.holders:
                watched.task.cancel()
                del self._watched[key]

    async def _watch(self, key: Key) -> None:
        pauses = backoff.Backoff(self._clock, PAUSES)
        while True:
            try:
                if await self._watch_once(key):
                    return
                pauses = backoff.Backoff(self._clock, PAUSES)
            except (StatusError, Unreachable, TimeoutError) as lost:
                _log.info("%s: not watched for now: %s", "/".join(key), lost)
            await pauses.wait()

    async def _watch_once(self, key: Key) -> bool:
        """True: it will never change again. Begins with what is there now, so that nothing is missed between two."""
        kind, namespace, name = key
        events = self._client.watch(
            references.KINDS[kind],
            namespace,
            resource_version="",
            field_selector=f"metadata.name={name}",
            bookmarks=False,
            timeout_seconds=WATCH_SECONDS,
        )
        async with contextlib.aclosing(events):
            async for event in events:
                self._references.forget_object(kind, namespace, name)
                for changed in list(self._watched[key].holders.values()):
                    changed()
                if event.object.get("immutable") and event.type != "DELETED":
                    return True
        return False


def mounted(pod: Object) -> set[Key]:
    """The ConfigMaps and Secrets in the pod's volumes that are worth a watch."""
    space = objects.namespace(pod)
    found: set[Key] = set()
    for volume in volumes.used(pod):
        for source in (volume, *((volume.get("projected") or {}).get("sources") or [])):
            config, secret = source.get("configMap"), source.get("secret")
            if config and config.get("name") != ROOT_CERTIFICATE:
                found.add(("ConfigMap", space, str(config.get("name", ""))))
            if secret:
                found.add(("Secret", space, str(secret.get("secretName") or secret.get("name") or "")))
    return {key for key in found if key[2]}
