"""Logs as `kubectl logs` wants them."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.containers import cri_log
from steersman.kubelet import log_reader
from tests.aio import virtual

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def at(seconds: int) -> datetime.datetime:
    return START + datetime.timedelta(seconds=seconds)


def write(path: Path, *lines: str, first: int = 0, stream: str = "stdout") -> None:
    with path.open("ab") as file:
        for number, line in enumerate(lines):
            file.write(cri_log.record(at(first + number), stream, line.encode(), full=True))


def read(path: Path, **options: Any) -> str:
    async def test(clock: VirtualClock) -> bytes:
        pieces = log_reader.read(path, log_reader.LogOptions(**options), clock, lambda: True)
        return b"".join([piece async for piece in pieces])

    return bytes(virtual.run(test)).decode()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "0.log"
    write(path, "one", "two", "three")
    return path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "one\ntwo\nthree\n"),
        ({"tail_lines": 2}, "two\nthree\n"),
        ({"tail_lines": 0}, ""),
        ({"tail_lines": 9}, "one\ntwo\nthree\n"),
        ({"since": at(1)}, "two\nthree\n"),
        ({"since": at(1), "tail_lines": 1}, "three\n"),
        ({"limit_bytes": 6}, "one\ntw"),
        ({"stream": "stderr"}, ""),
        ({"timestamps": True, "tail_lines": 1}, "2026-01-01T00:00:02.000000000Z three\n"),
    ],
)
def test_options(log: Path, options: dict[str, Any], expected: str) -> None:
    assert read(log, **options) == expected


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "gone" / "0.log") == ""


def test_partial_records_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(
        cri_log.record(at(0), "stdout", b"before", full=True)
        + cri_log.record(at(1), "stdout", b"long ", full=False)
        + cri_log.record(at(1), "stdout", b"line", full=True)
    )
    assert read(path) == "before\nlong line\n"
    assert read(path, tail_lines=1, timestamps=True) == "2026-01-01T00:00:01.000000000Z long line\n"


def test_an_unfinished_line_at_the_end_is_a_line_too(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(
        cri_log.record(at(0), "stdout", b"before", full=True)
        + cri_log.record(at(1), "stdout", b"DO", full=False)
        + cri_log.record(at(1), "stdout", b"NE", full=False)
    )
    assert read(path) == "before\nDONE"
    assert read(path, tail_lines=1) == "DONE"
    assert read(path, tail_lines=2) == "before\nDONE"


def test_lines_without_text_stay(tmp_path: Path) -> None:
    write(tmp_path / "0.log", "", "x")
    assert read(tmp_path / "0.log") == "\nx\n"


def test_rotated_files_come_first(log: Path) -> None:
    log.rename(log.with_name("0.log.20260101-000000"))
    write(log, "four", first=3)
    assert read(log) == "one\ntwo\nthree\nfour\n"
    assert read(log, tail_lines=2) == "three\nfour\n"


def test_the_tail_of_a_long_log(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    write(path, *[f"line {number} " + "x" * 100 for number in range(3000)])
    text = read(path, tail_lines=1500)
    assert text.count("\n") == 1500
    assert text.startswith("line 1500 ")
    assert text.endswith("x\n")


def test_following_sees_what_is_written_and_rotated_until_the_container_ends(log: Path) -> None:
    async def test(clock: VirtualClock) -> list[bytes]:
        over = False
        seen = []
        reading = log_reader.read(log, log_reader.LogOptions(follow=True), clock, lambda: over)
        async for piece in reading:
            seen.append(piece)
            if len(seen) == 1:
                write(log, "four")
            elif len(seen) == 2:
                log.rename(log.with_name("0.log.20260101-000000"))
                write(log, "five")
            elif len(seen) == 3:
                write(log, "last")
                over = True
        return seen

    assert virtual.run(test) == [b"one\ntwo\nthree\n", b"four\n", b"five\n", b"last\n"]


def test_half_a_record_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    whole = cri_log.record(at(0), "stdout", b"whole", full=True)
    path.write_bytes(whole + whole[:20])
    assert read(path) == "whole\n"
