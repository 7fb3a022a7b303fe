"""What goes wrong in a network, and what must hold all the same."""

import asyncio
import collections
import contextlib
import errno
import pathlib
from collections.abc import AsyncIterator

import pytest

from steersman.network import libnftables
from tests.network import lab
from tests.proxy.builders import endpoint, endpoint_slice, port, service
from tests.proxy.test_services import VIP, Cluster, asked, opened

pytestmark = [pytest.mark.root, pytest.mark.slow]

MANY = 1_000


@contextlib.asynccontextmanager
async def asking(cluster: Cluster, *names: str) -> AsyncIterator["collections.Counter[str]"]:
    """Clients that ask all the time; the first failure is raised at the end."""
    seen: collections.Counter[str] = collections.Counter()
    done = asyncio.Event()

    async def keep_asking(namespace: str) -> None:
        while not done.is_set():
            seen[(await lab.ask_tcp(namespace, VIP, 80))[0]] += 1

    tasks = [asyncio.create_task(keep_asking(cluster.namespace(name))) for name in names]
    yield seen
    done.set()
    await asyncio.gather(*tasks)


async def test_a_proxy_that_is_killed_and_comes_back_loses_no_connection(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        slices = [cluster.slice("a", "b", "c")]
        await cluster.start(service(), slices=slices)
        async with asking(cluster, "a", "c") as seen:
            for _ in range(5):
                await cluster.stop()
                await asked(cluster.namespace("b"), VIP, 80, 20)
                await cluster.start(service(), slices=slices)
        assert set(seen) == {"a", "b", "c"}


async def test_a_node_that_is_cut_off_and_back(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a", "c")])
        cluster.lab.network.link_down("node-2")
        assert await _answers(cluster, cluster.pods["c"].address) == ""
        await cluster.change(cluster.slice("a"))  # its pods are ready no more
        assert await asked(cluster.namespace("b"), VIP, 80) == {"a"}
        cluster.lab.network.link_up("node-2")
        await cluster.change(cluster.slice("a", "c"))
        async with asyncio.timeout(lab.WAIT_SECONDS):
            while True:  # neighbours find each other again
                with contextlib.suppress(OSError):
                    if await asked(cluster.namespace("b"), VIP, 80, 10) == {"a", "c"}:
                        break


async def test_an_endpoint_that_is_nobody_is_told_at_once(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        for address in ("10.244.1.200", "10.244.2.200"):  # of the client's node, and of the other
            nobody = endpoint_slice(endpoint(address, "node-1"), number=80)
            if address == "10.244.1.200":
                await cluster.start(service(), slices=[nobody])
            else:
                await cluster.change(nobody)
            with pytest.raises(OSError, match="Errno 113") as refused:
                await lab.ask_tcp(cluster.namespace("b"), VIP, 80, wait_seconds=1.0)
            assert refused.value.errno == errno.EHOSTUNREACH


async def test_a_thousand_services_come_and_go_at_once(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a")])
        many = [service(f"s{n}", f"10.97.{n // 250}.{n % 250 + 1}", port(80)) for n in range(MANY)]
        slices = [cluster.slice("c", of=f"s{n}") | {"metadata": _named(f"s{n}")} for n in range(MANY)]
        async with asking(cluster, "b") as seen:
            await cluster.change(*many, *slices)
            async with asyncio.timeout(10):
                while await _answers(cluster, "10.97.3.250") != "c":
                    pass
            for one in (*many, *slices):
                cluster.forget(one)
            async with asyncio.timeout(10):
                while await _answers(cluster, "10.97.3.250") == "c":
                    pass
        assert set(seen) == {"a"}
        async with asyncio.timeout(10):
            kernel = libnftables.Context(cluster.lab.host)
            while "10.97." in await asyncio.to_thread(kernel.run, "list ruleset"):
                pass


def _named(of: str) -> dict[str, object]:
    return {"name": f"{of}-1", "namespace": "d", "labels": {"kubernetes.io/service-name": of}}


async def _answers(cluster: Cluster, address: str) -> str:
    try:
        return (await lab.ask_tcp(cluster.namespace("b"), address, 80, wait_seconds=0.3))[0]
    except OSError:
        return ""
