"""Large logs are renamed away, only the newest few are kept, and readers follow them."""

import asyncio
import dataclasses
import datetime
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from steersman.aio.clock import VirtualClock
from steersman.containers.runtime import ContainerStatus, RuntimeFailure, State
from steersman.kubelet import log_reader, log_rotation
from steersman.kubelet.options import Options
from tests.aio import virtual

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
OPTIONS = Options(Path())
TIME = "2026-01-01T00:00:00.000000000Z"


class Writer:
    """One container, whose log is written to the file that was opened last, as by the shim."""

    def __init__(self, path: Path, state: State = State.RUNNING) -> None:
        self.status = ContainerStatus("c1", "s1", "uid", "main", 0, state, "i", "i", START, log_path=str(path))
        self.is_stuck = False
        self._path = path
        self._file = path.open("a")

    def write(self, text: str) -> None:
        self._file.write(f"{TIME} stdout F {text}\n")
        self._file.flush()

    async def list_containers(self) -> Sequence[ContainerStatus]:
        return [self.status]

    async def reopen_log(self, container_id: str) -> None:
        assert container_id == "c1"
        if self.is_stuck:
            raise RuntimeFailure("ReopenContainerLogError", "the shim is gone")
        self._file.close()
        self._file = self._path.open("a")

    def close(self) -> None:
        self._file.close()


def grow(log: Path, size: int = OPTIONS.log_most_bytes + 1) -> None:
    with log.open("ab") as file:
        file.truncate(size)


def names(log: Path) -> list[str]:
    return sorted(path.name for path in log.parent.iterdir())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    grow(tmp_path / "0.log")
    return tmp_path / "0.log"


@pytest.fixture
def writer(log: Path) -> Iterator[Writer]:
    found = Writer(log)
    yield found
    found.close()


async def test_a_large_log_is_begun_anew(log: Path, writer: Writer) -> None:
    await log_rotation.look(writer, START, OPTIONS)
    assert names(log) == ["0.log", "0.log.20260101-000000"]
    assert log.stat().st_size == 0


@pytest.mark.parametrize(
    "change",
    [{"state": State.EXITED}, {"log_path": ""}, {"log_path": "/nowhere/0.log"}],
    ids=["ended", "no log", "no file"],
)
async def test_what_is_left_alone(log: Path, writer: Writer, change: dict[str, object]) -> None:
    writer.status = dataclasses.replace(writer.status, **change)  # type: ignore[arg-type]
    await log_rotation.look(writer, START, OPTIONS)
    assert names(log) == ["0.log"]


async def test_a_log_of_fair_size_is_left_alone(log: Path, writer: Writer) -> None:
    grow(log, OPTIONS.log_most_bytes)
    await log_rotation.look(writer, START, OPTIONS)
    assert names(log) == ["0.log"]


async def test_only_the_newest_are_kept(log: Path, writer: Writer) -> None:
    for minute in range(10):
        grow(log)
        await log_rotation.look(writer, START + datetime.timedelta(minutes=minute), OPTIONS)
    assert len(names(log)) == OPTIONS.logs_most
    assert names(log)[-1] == "0.log.20260101-000900"


async def test_a_log_whose_writer_holds_on_keeps_its_name(log: Path, writer: Writer) -> None:
    writer.is_stuck = True
    await log_rotation.look(writer, START, OPTIONS)
    assert names(log) == ["0.log"]
    writer.is_stuck = False
    await log_rotation.look(writer, START, OPTIONS)
    assert names(log) == ["0.log", "0.log.20260101-000000"]


def test_logs_stay_small_and_whole_while_followed(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, log_most_bytes=600)
    path = tmp_path / "0.log"

    async def body(clock: VirtualClock) -> None:
        writer = Writer(path)
        numbers, over = itertools.count(), False
        seen = b""

        async def produce() -> None:
            nonlocal over
            for second in range(60):
                for _ in range(10):
                    writer.write(str(next(numbers)))
                await log_rotation.look(writer, START + datetime.timedelta(seconds=second), options)
                await clock.sleep(1)
            over = True

        async def follow() -> None:
            nonlocal seen
            asked = log_reader.LogOptions(follow=True)
            async for piece in log_reader.read(path, asked, clock, lambda: over):
                seen += piece

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            group.create_task(follow())
        writer.close()
        assert [int(line) for line in seen.split()] == list(range(600)), "no line lost, none twice"
        assert len(list(tmp_path.iterdir())) == OPTIONS.logs_most
        rest = b"".join([piece async for piece in log_reader.read(path, log_reader.LogOptions(), clock, lambda: True)])
        left = [int(line) for line in rest.split()]
        assert left == list(range(left[0], 600))

    virtual.run(body)
