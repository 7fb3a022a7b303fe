"""Marks the node that stands for this machine's control plane, as `kubeadm init` does: its kubelet may not (NodeRestriction).

Keeps true: each Node object of that name was given the label once. Who takes it off has their way until the next start.
"""

import asyncio
import logging

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Cache
from steersman.client.client import Client, Unreachable
from steersman.cluster.options import CONTROL_PLANE
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

log = logging.getLogger(__name__)


async def mark(nodes: Cache, name: str, client: Client, clock: Clock) -> None:
    """Until cancelled. `client` is an administrator's."""
    registered = asyncio.Event()
    registered.set()

    def notice(old: Object | None, new: Object | None) -> None:
        if new is None or objects.name(new) != name:
            return
        if old is None or objects.uid(old) != objects.uid(new):  # after a gap in the watch one may stand for the other
            registered.set()

    unsubscribe = nodes.subscribe(notice)
    try:
        await nodes.synced.wait()
        while True:
            await registered.wait()
            registered.clear()
            await _mark_once(nodes, name, client, clock)
    finally:
        unsubscribe()


async def _mark_once(nodes: Cache, name: str, client: Client, clock: Clock) -> None:
    """Until it is done, or there is nothing to do."""
    pause = backoff.Backoff(clock)
    while (node := nodes.get(name)) is not None and CONTROL_PLANE not in objects.labels(node):
        patch = {"metadata": {"uid": objects.uid(node), "labels": {CONTROL_PLANE: ""}}}
        try:
            await client.patch(kinds.NODE, name, "", patch, type="merge")
        except (StatusError, Unreachable) as refused:
            log.warning("node %s cannot be marked yet: %s", name, refused)
            await clock.sleep(pause.next())
        else:
            return
