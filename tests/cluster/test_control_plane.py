"""The node that stands for the control plane is marked, by an administrator, once for each Node object."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.cluster import control_plane, pki
from steersman.cluster.options import CONTROL_PLANE
from tests.apiserver import kit


@pytest.fixture
async def marking() -> AsyncIterator[tuple[kit.Api, Caches]]:
    async with kit.Api() as api:
        clock = SystemClock()
        client = Client(InProcessTransport(api.server.handle, pki.ADMIN.user, pki.ADMIN.groups), clock=clock)
        caches = Caches(client, clock)
        nodes = caches.of(kinds.NODE)
        tasks = [asyncio.create_task(one) for one in (caches.run(), control_plane.mark(nodes, "node1", client, clock))]
        yield api, caches
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def make(api: kit.Api, name: str) -> None:
    await api.make("/api/v1/nodes", {"metadata": {"name": name}})


async def marked(caches: Caches, name: str, wanted: bool = True) -> None:
    """Waits until that is so."""
    changed, nodes = asyncio.Event(), caches.of(kinds.NODE)

    def is_so() -> bool:
        node = nodes.get(name)
        return node is not None and (CONTROL_PLANE in (node["metadata"].get("labels") or {})) == wanted

    unsubscribe = nodes.subscribe(lambda old, new: changed.set())
    async with asyncio.timeout(5):
        while not is_so():
            await changed.wait()
            changed.clear()
    unsubscribe()


async def test_it_is_marked_whenever_it_registers(marking: tuple[kit.Api, Caches]):
    api, caches = marking
    await make(api, "node1")
    await marked(caches, "node1")
    await api.ask("DELETE", "/api/v1/nodes/node1")
    await make(api, "node1")
    await marked(caches, "node1")


async def test_others_are_not(marking: tuple[kit.Api, Caches]):
    api, caches = marking
    await make(api, "node2")
    await make(api, "node1")
    await marked(caches, "node1")
    await marked(caches, "node2", wanted=False)


async def test_who_takes_it_off_has_their_way(marking: tuple[kit.Api, Caches]):
    api, caches = marking
    await make(api, "node1")
    await marked(caches, "node1")
    off = {"metadata": {"labels": {CONTROL_PLANE: None}}}
    await api.ask("PATCH", "/api/v1/nodes/node1", off, headers=kit.MERGE)
    await marked(caches, "node1", wanted=False)
    await make(api, "node2")
    await marked(caches, "node2", wanted=False)
    await marked(caches, "node1", wanted=False)
