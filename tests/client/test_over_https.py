"""The whole way: client, pool, TLS with a client certificate, our HTTP server, a handler over a store."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client.access import Access
from steersman.client.cache import Cache
from steersman.client.client import Client
from steersman.client.transport import HttpTransport
from steersman.meta.errors import StatusError
from steersman.serving import http_server
from tests.client import raw_server
from tests.client.fake_server import FakeServer, pod, running


@pytest.fixture
async def remote(tmp_path, server) -> AsyncIterator[Client]:
    authority = raw_server.Authority()
    certificate, key = authority.issue("system:node:n", "system:nodes")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        serving = await http_server.serve(
            server.handle, sockets=[listener], ssl_context=authority.server_context(tmp_path)
        )
        access = Access(f"https://127.0.0.1:{port}", authority.pem, certificate, key)
        client = Client(HttpTransport(access, clock=SystemClock()), clock=SystemClock())
        try:
            yield client
        finally:
            await client.close()
            await serving.close()


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- what the other side has noticed has no event here
            await asyncio.sleep(0.001)


async def test_writing_and_reading(remote, server):
    made = await remote.create(kinds.POD, pod("web", text="ü" * 100_000))
    assert await remote.get(kinds.POD, "web", "default") == made
    with pytest.raises(StatusError) as refused:
        await remote.create(kinds.POD, pod("web"))
    assert refused.value.reason == "AlreadyExists"
    await remote.delete(kinds.POD, "web", "default")
    assert (await remote.list(kinds.POD)).items == []


async def test_many_at_once(remote):
    await asyncio.gather(*(remote.create(kinds.POD, pod(f"p{number}")) for number in range(50)))
    assert len((await remote.list(kinds.POD)).items) == 50


async def test_a_cache_follows_through_lost_watches(remote, server: FakeServer):
    cache = Cache(remote, kinds.POD, SystemClock())
    async with running(cache.run()):
        await cache.synced.wait()
        for number in range(20):
            await server.write(pod(f"p{number}"))
            if number % 7 == 3:
                server.cut_watches()
        await until(lambda: len(cache) == 20)
        await server.remove("/core/pods/default/p3")
        await until(lambda: cache.get("default/p3") is None)
    await until(lambda: server.open_watches == 0)  # the server has noticed that we left


async def test_a_watch_that_is_left_is_ended_on_the_server(remote, server: FakeServer):
    watch = remote.watch(kinds.POD, resource_version="1")
    await server.write(pod("a"))
    async with contextlib.aclosing(watch):
        assert (await anext(watch)).type == "ADDED"
        assert server.open_watches == 1
    await until(lambda: server.open_watches == 0)
