"""Large logs are renamed away, only the newest few are kept, and readers follow them."""

import asyncio
import dataclasses
import datetime
import gzip
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from steersman.aio.clock import SystemClock, VirtualClock
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
    [{"state": State.EXITED}, {"log_path": ""}],
    ids=["ended", "no log"],
)
async def test_what_is_left_alone(log: Path, writer: Writer, change: dict[str, object]) -> None:
    writer.status = dataclasses.replace(writer.status, **change)  # type: ignore[arg-type]
    await log_rotation.look(writer, START, OPTIONS)
    assert names(log) == ["0.log"]


@pytest.mark.parametrize(("size", "most", "count"), [(99, 100, 1), (100, 100, 2), (100, -1, 1)])
async def test_how_large_is_large(log: Path, writer: Writer, size: int, most: int, count: int) -> None:
    """Upstream rotates what has reached the size; a negative one means never."""
    grow(log, size)
    await log_rotation.look(writer, START, dataclasses.replace(OPTIONS, log_most_bytes=most))
    assert len(names(log)) == count


async def test_a_log_that_somebody_removed_is_begun_anew(log: Path, writer: Writer) -> None:
    log.unlink()
    await log_rotation.look(writer, START, OPTIONS)
    assert names(log) == ["0.log"]


def fill(log: Path, text: bytes) -> None:
    grow(log, 0)
    log.write_bytes(text + b"." * OPTIONS.log_most_bytes)


async def rotate(log: Path, writer: Writer, times: int) -> None:
    for minute in range(times):
        fill(log, b"%d" % minute)
        await log_rotation.look(writer, START + datetime.timedelta(minutes=minute), OPTIONS)


async def test_older_ones_are_compressed(log: Path, writer: Writer) -> None:
    """The newest is not: its writer may not have let go of it yet."""
    log.chmod(0o640)
    await rotate(log, writer, 3)
    assert names(log) == ["0.log", "0.log.20260101-000000.gz", "0.log.20260101-000100.gz", "0.log.20260101-000200"]
    packed = log.with_name("0.log.20260101-000000.gz")
    with gzip.open(packed) as first:
        assert first.read(2) == b"0."
    assert packed.stat().st_mode & 0o777 == 0o640


async def test_what_a_kubelet_that_was_killed_has_left_goes(log: Path, writer: Writer) -> None:
    """Half a compressed file, and one whose original is still there: the next rotation knows which one counts."""
    await rotate(log, writer, 2)
    log.with_name("0.log.20260101-000100.tmp").write_text("half")
    log.with_name("0.log.20260101-000000").write_text("compressed already")
    fill(log, b"2")
    await log_rotation.look(writer, START + datetime.timedelta(minutes=2), OPTIONS)
    assert names(log) == ["0.log", "0.log.20260101-000000.gz", "0.log.20260101-000100.gz", "0.log.20260101-000200"]


async def test_a_few_containers_at_a_time(tmp_path: Path) -> None:
    """Upstream's containerLogMaxWorkers."""
    at_work, most, pair = 0, 0, asyncio.Barrier(2)

    class Slow:
        async def list_containers(self) -> Sequence[ContainerStatus]:
            paths = [tmp_path / f"{number}.log" for number in range(6)]
            for path in paths:
                grow(path, 10)
            return [
                ContainerStatus(p.name, "s", "u", "m", 0, State.RUNNING, "i", "i", START, log_path=str(p))
                for p in paths
            ]

        async def reopen_log(self, container_id: str) -> None:
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            await pair.wait()
            at_work -= 1

    await log_rotation.look(Slow(), START, dataclasses.replace(OPTIONS, log_most_bytes=10, log_workers=2))
    assert most == 2
    assert len(list(tmp_path.glob("*.log.*"))) == 6


async def test_readers_see_the_two_newest(log: Path, writer: Writer) -> None:
    """Upstream's `kubectl logs` shows what is not compressed."""
    for minute in range(4):
        grow(log, 0)
        for number in range(3):
            writer.write(f"{minute}.{number}")
        options = dataclasses.replace(OPTIONS, log_most_bytes=10)
        if minute < 3:
            await log_rotation.look(writer, START + datetime.timedelta(minutes=minute), options)
    read = log_reader.read(log, log_reader.LogOptions(), SystemClock(), lambda: True)
    assert b"".join([piece async for piece in read]).split() == [b"2.0", b"2.1", b"2.2", b"3.0", b"3.1", b"3.2"]


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
