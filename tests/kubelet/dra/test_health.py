"""What drivers stream of their devices' health, over a real socket."""

import asyncio
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from steersman.aio.clock import SystemClock
from steersman.aio.tasks import Tasks
from steersman.kubelet.dra import health
from steersman.serving import protobuf, remote_calls

pytestmark = pytest.mark.slow
SUPPORTED = ["v1.DRAPlugin", "v1.DRAResourceHealth"]


class Driver:
    """Streams what is put into `answers`; None ends the stream."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[protobuf.Message | None] = asyncio.Queue()

    async def watch(self, _: protobuf.Message) -> AsyncIterator[protobuf.Message]:
        while (answer := await self.answers.get()) is not None:
            yield answer

    def tell(self, device: str, word: str, **more: object) -> None:
        named = {"pool_name": "p", "device_name": device}
        self.answers.put_nowait({"devices": [{"device": named, "health": word, **more}]})


@pytest.fixture
async def driver(tmp_path: pathlib.Path) -> AsyncIterator[Driver]:
    made = Driver()
    handlers = {health.SERVICE: {health.METHOD: made.watch}}
    server = await remote_calls.serve(f"unix:{tmp_path}/driver.sock", protobuf.load(health.SCHEMA), handlers)
    yield made
    await server.stop(0)


Wait = Callable[[str, str, str], Awaitable[None]]


@pytest.fixture
async def known() -> AsyncIterator[tuple[health.Health, Wait]]:
    """And a way to wait until a device is told to be so."""
    changed = asyncio.Event()
    async with Tasks("test") as tasks:
        found = health.Health(SystemClock(), tasks, changed.set)

        async def until(device: str, wanted: str, message: str = "") -> None:
            async with asyncio.timeout(10):
                while (told := found.of("d", "p", device)) and (told.health, told.message) != (wanted, message):
                    await changed.wait()
                    changed.clear()

        yield found, until
        await tasks.close()


async def test_it_is_known_as_told(tmp_path: pathlib.Path, driver: Driver, known: tuple[health.Health, Wait]):
    found, until = known
    assert found.of("d", "p", "1").health == "Unknown"
    found.follow("d", tmp_path / "driver.sock", SUPPORTED)
    driver.tell("1", "HEALTHY")
    await until("1", "Healthy", "")
    driver.tell("1", "UNHEALTHY", message="too hot" + "!" * 2000)
    await until("1", "Unhealthy", "too hot" + "!" * 1014 + "...")
    driver.tell("2", "HEALTHY")
    await until("2", "Healthy", "")
    assert found.of("d", "p", "1").health == "Unhealthy"  # what is not named again stays for its time
    found.forget("d")
    await until("2", "Unknown", "")


async def test_it_holds_for_a_time(tmp_path: pathlib.Path, driver: Driver, known: tuple[health.Health, Wait]):
    found, until = known
    found.follow("d", tmp_path / "driver.sock", SUPPORTED)
    driver.tell("1", "HEALTHY", health_check_timeout_seconds=1)
    await until("1", "Healthy", "")
    await until("1", "Unknown", "")


async def test_it_ends_with_the_stream(tmp_path: pathlib.Path, driver: Driver, known: tuple[health.Health, Wait]):
    found, until = known
    found.follow("d", tmp_path / "driver.sock", SUPPORTED)
    driver.tell("1", "HEALTHY")
    await until("1", "Healthy", "")
    driver.answers.put_nowait(None)
    await until("1", "Unknown", "")


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
async def test_earlier_versions_say_the_same(tmp_path: pathlib.Path, known: tuple[health.Health, Wait], version: str):
    found, until = known
    made, schema = Driver(), protobuf.Schema(health.SCHEMA.read_text().replace("package v1;", f"package {version};"))
    server = await remote_calls.serve(f"unix:{tmp_path}/d.sock", schema, {health.SERVICE: {health.METHOD: made.watch}})
    found.follow("d", tmp_path / "d.sock", ["v1.DRAPlugin", f"{version}.DRAResourceHealth"])
    made.tell("1", "HEALTHY")
    await until("1", "Healthy", "")
    await server.stop(0)
