"""Logs that grow are put aside, and readers follow them."""

import asyncio
import datetime
import itertools
from pathlib import Path

import pytest

from steersman.aio.clock import VirtualClock
from steersman.containers import runtime
from steersman.kubelet import log_reader, log_rotation
from tests.aio import virtual

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
TIME = "2026-01-01T00:00:00.000000000Z"


def record(text: str) -> str:
    return f"{TIME} stdout F {text}\n"


class Writer:
    """The runtime's part: keeps writing to the file that it opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a")

    def write(self, text: str) -> None:
        self._file.write(record(text))
        self._file.flush()

    async def reopen(self) -> None:
        self._file.close()
        self._file = self._path.open("a")

    def close(self) -> None:
        self._file.close()


@pytest.mark.parametrize(
    ("names", "files_max", "expect"),
    [
        pytest.param([], 5, [], id="none yet"),
        pytest.param(["a", "b", "c"], 5, [], id="room for one more"),
        pytest.param(["c", "a", "d", "b"], 5, ["a"], id="the oldest goes"),
        pytest.param(["a", "b"], 2, ["a", "b"], id="only the newest is kept"),
    ],
)
def test_excess(names: list[str], files_max: int, expect: list[str]) -> None:
    assert log_rotation.excess(names, files_max) == expect


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
                now = START + datetime.timedelta(seconds=second)
                await log_rotation.rotate_if_large(path, now, writer.reopen, size_max_bytes=600, files_max=3)
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


def test_a_runtime_that_does_not_reopen_gets_its_file_back(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text(record("x" * 100))

    async def refuse() -> None:
        raise runtime.RuntimeFailure("ReopenContainerLogError", "no")

    async def body(clock: VirtualClock) -> None:
        with pytest.raises(runtime.RuntimeFailure):
            await log_rotation.rotate_if_large(path, START, refuse, size_max_bytes=10, files_max=5)
        assert [one.name for one in tmp_path.iterdir()] == ["0.log"]

    virtual.run(body)
