"""Logs that grow are put aside, and readers follow them."""

import asyncio
import datetime
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from steersman.aio.clock import VirtualClock
from steersman.containers import runtime
from steersman.kubelet import log_reader, log_rotation
from tests.aio import virtual

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Writer:
    """The runtime's part: keeps writing to the file that it opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a")
        self.works = True

    def write(self, text: str) -> None:
        self._file.write(f"2026-01-01T00:00:00.000000000Z stdout F {text}\n")
        self._file.flush()

    async def list_containers(self) -> Sequence[runtime.ContainerStatus]:
        state = runtime.State.RUNNING
        return [runtime.ContainerStatus("id", "s", "p", "main", 0, state, "i", "i", START, log_path=str(self._path))]

    async def reopen_log(self, container_id: str) -> None:
        if not self.works:
            raise runtime.RuntimeFailure("ReopenContainerLogError", "no")
        self._file.close()
        self._file = self._path.open("a")

    def close(self) -> None:
        self._file.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_rotation, "FILE_MOST_BYTES", 600)
    monkeypatch.setattr(log_rotation, "FILES_MOST", 3)


@pytest.mark.usefixtures("small")
def test_logs_stay_small_and_whole_while_followed(tmp_path: Path) -> None:
    path = tmp_path / "0.log"

    async def body(clock: VirtualClock) -> None:
        writer = Writer(path)
        numbers, over = itertools.count(), False
        seen = b""

        async def produce() -> None:
            nonlocal over
            for second in range(20):
                for _ in range(10):
                    writer.write(str(next(numbers)))
                await log_rotation.look(writer, START + datetime.timedelta(seconds=second))
                await clock.sleep(1)
            over = True

        async def follow() -> None:
            nonlocal seen
            options = log_reader.LogOptions(follow=True)
            async for piece in log_reader.read(path, options, clock, lambda: over):
                seen += piece

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            group.create_task(follow())
        writer.close()
        assert [int(line) for line in seen.split()] == list(range(200)), "no line lost, none twice"
        assert len(list(tmp_path.iterdir())) == 3
        rest = b"".join([piece async for piece in log_reader.read(path, log_reader.LogOptions(), clock, lambda: True)])
        left = [int(line) for line in rest.split()]
        assert left == list(range(left[0], 200))

    virtual.run(body)


@pytest.mark.usefixtures("small")
def test_a_runtime_that_does_not_reopen_gets_its_file_back(tmp_path: Path) -> None:
    path = tmp_path / "0.log"

    async def body(clock: VirtualClock) -> None:
        writer = Writer(path)
        writer.works = False
        writer.write("x" * 1000)
        await log_rotation.look(writer, START)
        assert [one.name for one in tmp_path.iterdir()] == ["0.log"]
        writer.works = True
        await log_rotation.look(writer, START)
        assert sorted(one.name for one in tmp_path.iterdir()) == ["0.log", "0.log.20260101-000000"]
        writer.close()

    virtual.run(body)
