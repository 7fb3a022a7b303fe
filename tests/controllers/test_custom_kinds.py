"""Garbage collector and namespace controller care for custom kinds that come while they run."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman import controllers
from steersman.aio import tasks
from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.api.custom import kinds as custom_kinds
from steersman.api.kind import Kind
from steersman.apiserver.server import ApiServer
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.meta.objects import Object
from steersman.store.memory import MemoryStore
from steersman.testing import waiting
from tests.apiserver.extensions import definitions


class Running:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.crontab: Kind

    async def define(self) -> None:
        await self.client.create(kinds.CUSTOM_RESOURCE_DEFINITION, definitions.definition())
        stored = await self.client.get(kinds.CUSTOM_RESOURCE_DEFINITION, definitions.NAME)
        (self.crontab,) = custom_kinds.of(stored)

    async def until(self, kind: Kind, name: str, wish: waiting.Wish, namespace: str = "default") -> Object | None:
        return await waiting.wait(self.client, self.client.clock, kind, name, namespace, wish, 10)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    clock, store = SystemClock(), MemoryStore()
    server = ApiServer(store, clock=clock)
    await server.start()
    yield Client(InProcessTransport(server.handle, "admin", ("system:masters",)), clock=clock)
    await server.close()
    await store.close()


@contextlib.asynccontextmanager
async def controlled(client: Client) -> AsyncIterator[None]:
    caches = Caches(client, client.clock)
    async with tasks.Tasks("test") as parts:
        parts.start("controllers", controllers.run(client, caches, client.clock))
        parts.start("caches", caches.run())
        yield
        assert len(parts) == 2, "a part has crashed"


@pytest.fixture
async def running(client: Client) -> AsyncIterator[Running]:
    async with controlled(client):
        yield Running(client)


def owned_by(owner: Object, kind: Kind, name: str) -> Object:
    reference: dict[str, Any] = {
        "apiVersion": kind.api_version, "kind": kind.kind, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
    }  # fmt: skip
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


async def test_what_a_custom_object_owns_goes_with_it(running: Running):
    await running.define()
    owner = await running.client.create(running.crontab, definitions.crontab("owner"), "default")
    await running.client.create(kinds.CONFIG_MAP, owned_by(owner, running.crontab, "owned"), "default")
    await running.client.delete(running.crontab, "owner", "default")
    await running.until(kinds.CONFIG_MAP, "owned", "Deleted")


async def test_a_custom_object_goes_with_its_owner(running: Running):
    await running.define()
    owner = await running.client.create(kinds.CONFIG_MAP, {"metadata": {"name": "owner"}}, "default")
    owned = definitions.crontab("owned")
    owned["metadata"] |= owned_by(owner, kinds.CONFIG_MAP, "owned")["metadata"]
    await running.client.create(running.crontab, owned, "default")
    await running.client.delete(kinds.CONFIG_MAP, "owner", "default", propagation="Foreground")
    await running.until(running.crontab, "owned", "Deleted")
    await running.until(kinds.CONFIG_MAP, "owner", "Deleted")


async def test_what_custom_objects_own_goes_with_their_definition(running: Running):
    await running.define()
    owner = await running.client.create(running.crontab, definitions.crontab("owner"), "default")
    await running.client.create(kinds.CONFIG_MAP, owned_by(owner, running.crontab, "owned"), "default")
    # A dependant of nobody is collected: the kind is followed.
    stranger = {"metadata": {"name": "nobody", "uid": "0"}}
    await running.client.create(kinds.CONFIG_MAP, owned_by(stranger, running.crontab, "stray"), "default")
    await running.until(kinds.CONFIG_MAP, "stray", "Deleted")
    await running.client.delete(kinds.CUSTOM_RESOURCE_DEFINITION, definitions.NAME)
    await running.until(kinds.CUSTOM_RESOURCE_DEFINITION, definitions.NAME, "Deleted", "")
    await running.until(kinds.CONFIG_MAP, "owned", "Deleted")


async def test_kinds_that_were_there_before_the_controllers(client: Client):
    running = Running(client)
    await running.define()
    owner = await client.create(running.crontab, definitions.crontab("owner"), "default")
    await client.create(kinds.CONFIG_MAP, owned_by(owner, running.crontab, "owned"), "default")
    async with controlled(client):
        await client.delete(running.crontab, "owner", "default")
        await running.until(kinds.CONFIG_MAP, "owned", "Deleted")


async def test_a_namespace_ends_with_its_custom_objects(running: Running):
    await running.define()
    await running.client.create(kinds.NAMESPACE, {"metadata": {"name": "short"}})
    await running.client.create(running.crontab, definitions.crontab("a"), "short")
    await running.client.delete(kinds.NAMESPACE, "short")
    await running.until(kinds.NAMESPACE, "short", "Deleted", "")
    assert (await running.client.list(running.crontab)).items == []
