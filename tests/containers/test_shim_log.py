"""The log pump: FIFO to CRI records, nothing taken out before it stands in the log."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.containers.oci.shim_log import PARTIAL_BYTES, Listener, LogFile, Stream
from tests.containers import lab


class Pump:
    """A FIFO with a writer, a log, and the stream between."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "logs/0.log"
        self.fifo = str(folder / "fifo")
        os.mkfifo(self.fifo)
        self.writer = os.open(self.fifo, os.O_RDWR)
        self.stream = self.another_shim()

    def another_shim(self) -> Stream:
        self.log = LogFile(str(self.path))
        return Stream("stdout", os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK), self.log, is_terminal=False)

    def write(self, data: bytes) -> None:
        os.write(self.writer, data)

    def tags(self) -> list[str]:
        return [line.split(" ", 3)[2] for line in self.path.read_text().splitlines()]

    def text(self) -> str:
        return lab.read_log(str(self.path))


@pytest.fixture
def pump(tmp_path: Path) -> Iterator[Pump]:
    found = Pump(tmp_path)
    yield found
    os.close(found.writer)


def test_whole_lines_are_written_at_once(pump: Pump):
    pump.write(b"one\ntwo\nthr")
    assert not pump.stream.read_ready()
    assert pump.text() == "one\ntwo\n"
    assert pump.stream.fragment_since is not None
    pump.write(b"ee\n")
    pump.stream.read_ready()
    assert pump.text() == "one\ntwo\nthree\n"
    assert pump.tags() == ["F", "F", "F"]
    assert pump.stream.fragment_since is None


def test_a_fragment_becomes_a_partial_record_when_it_is_old(pump: Pump):
    pump.write(b"prompt")
    pump.stream.read_ready()
    pump.stream.flush_fragment()
    pump.write(b" and more\n")
    pump.stream.read_ready()
    assert (pump.text(), pump.tags()) == ("prompt and more\n", ["P", "F"])


def test_a_killed_shim_loses_nothing(pump: Pump):
    pump.write(b"one\ntw")
    pump.stream.read_ready()
    pump.stream = pump.another_shim()
    pump.write(b"o\nthree\n")
    pump.stream.read_ready()
    assert pump.text() == "one\ntwo\nthree\n"


def test_what_cannot_be_written_stays(pump: Pump):
    pump.write(b"one\n")
    pump.log.close()
    full = os.open("/dev/full", os.O_WRONLY)
    pump.log._fd = full
    with pytest.raises(OSError, match="No space left"):
        pump.stream.read_ready()
    assert pump.stream.fragment_since is not None
    pump.log.reopen()
    pump.stream.flush_fragment()
    assert pump.text() == "one\n"


def test_the_end_takes_everything(pump: Pump):
    pump.write(b"one\ntwo")
    pump.stream.finish()
    assert (pump.text(), pump.tags()) == ("one\ntwo", ["F", "P"])


@given(
    pieces=st.lists(st.text(st.sampled_from("ab\n"), max_size=3 * PARTIAL_BYTES // 2), max_size=6),
    pauses=st.sets(st.integers(0, 5)),
)
def test_the_log_tells_what_was_written(tmp_path_factory: pytest.TempPathFactory, pieces: list[str], pauses: set[int]):
    pump = Pump(tmp_path_factory.mktemp("pump"))
    for number, piece in enumerate(pieces):
        pump.write(piece.encode())
        while pump.stream.read_ready():
            pass
        if number in pauses and pump.stream.fragment_since is not None:
            pump.stream.flush_fragment()
    pump.stream.finish()
    os.close(pump.writer)
    written = "".join(pieces)
    assert pump.text() == written
    assert all(len(line.split(" ", 3)[3]) <= PARTIAL_BYTES for line in pump.path.read_text().splitlines())


def test_listeners_get_copies_and_slow_ones_are_cut_off(pump: Pump):
    reading, writing = os.pipe()
    slow_reading, slow_writing = os.pipe()
    pump.stream.listeners += [Listener(writing), Listener(slow_writing)]
    pump.write(b"prompt")
    pump.stream.read_ready()
    assert os.read(reading, 100) == b"prompt"
    for _ in range(40):
        pump.write(b"x" * 60_000)
        pump.stream.read_ready()
        os.read(reading, 60_000)
    assert [one.fd for one in pump.stream.listeners] == [writing]
    pump.stream.finish()
    os.close(reading)
    os.close(slow_reading)
