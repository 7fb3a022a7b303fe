"""The audit log: lines, files that are put aside, and events that are too large."""

import datetime
import errno
import logging
import os
import pathlib
import shutil

import orjson
import pytest

from steersman.aio.clock import SystemClock
from steersman.apiserver.audit import log_file, texts, truncation
from steersman.apiserver.audit.log_file import LogFile, Options

EVENT = {
    "kind": "Event",
    "level": "Request",
    "auditID": "1",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/default/pods",
    "verb": "create",
    "user": {"username": "alice", "groups": ["a", "b"]},
    "sourceIPs": ["127.0.0.1"],
    "userAgent": 'a "b"',
    "objectRef": {"resource": "pods", "namespace": "default"},
    "responseStatus": {"metadata": {}, "code": 201},
    "requestObject": {"data": "x" * 300},
    "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
}


class Ticking(SystemClock):
    """A second passes with each look."""

    def __init__(self):
        super().__init__()
        self.at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def now(self):
        self.at += datetime.timedelta(seconds=1)
        return self.at


def test_each_event_is_a_line(tmp_path):
    path = tmp_path / "new" / "audit.log"
    log = LogFile(Options(str(path)), SystemClock())
    log.write(EVENT)
    log.write(EVENT)
    assert [orjson.loads(line) for line in path.read_bytes().splitlines()] == [EVENT, EVENT]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_large_file_is_put_aside_and_old_ones_go(tmp_path):
    path = tmp_path / "audit.log"
    (tmp_path / "audit-notes.log").write_text("somebody else's")
    log = LogFile(Options(str(path), max_bytes=1000, backups_max=2), Ticking())
    for _ in range(9):
        log.write(EVENT)
    names = sorted(one.name for one in tmp_path.iterdir())
    assert names == [
        "audit-2026-01-01T00-00-13.000.log",
        "audit-2026-01-01T00-00-15.000.log",
        "audit-notes.log",
        "audit.log",
    ]
    assert all(one.stat().st_size <= 1000 for one in tmp_path.iterdir())


def test_a_folder_that_is_taken_away_is_made_anew(tmp_path):
    path = tmp_path / "logs" / "audit.log"
    log = LogFile(Options(str(path), max_bytes=1000), Ticking())
    log.write(EVENT)
    shutil.rmtree(path.parent)
    log.write(EVENT)
    with (tmp_path / "another's").open("wb"):
        log.write(EVENT)
    assert (tmp_path / "another's").read_bytes() == b""
    assert len(path.read_bytes().splitlines()) == 1


def test_what_cannot_be_put_aside_stays_the_file(tmp_path, monkeypatch):
    path = tmp_path / "audit.log"
    log = LogFile(Options(str(path), max_bytes=700), Ticking())
    log.write(EVENT)
    monkeypatch.setattr(pathlib.Path, "rename", refused)
    log.write(EVENT)
    with (tmp_path / "another's").open("wb") as other:
        monkeypatch.undo()
        log.write(EVENT)
        assert os.path.samestat(os.fstat(other.fileno()), (tmp_path / "another's").stat())
    assert (tmp_path / "another's").read_bytes() == b""
    assert len(path.read_bytes().splitlines()) == 1


def refused(*_):
    raise OSError(errno.EACCES, "no")


def test_a_file_that_is_there_is_continued(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(b"x" * 990)
    LogFile(Options(str(path), max_bytes=1000), Ticking()).write(EVENT)
    assert len(list(tmp_path.iterdir())) == 2


NOW = datetime.datetime(2026, 1, 10, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("backups", "days", "expected"),
    [(0, 0, []), (2, 0, ["8", "7"]), (0, 2, ["7"]), (1, 9, ["9", "8", "7"])],
    ids=["all stay", "so many", "so old", "both"],
)
def test_superfluous(tmp_path, backups, days, expected):
    found = [(NOW.replace(day=day), tmp_path / str(day)) for day in (7, 8, 9, 10)]
    options = Options("", backups_max=backups, age_days_max=days)
    assert log_file.superfluous(found, options, NOW) == sorted(tmp_path / one for one in expected)


def test_a_disk_that_takes_nothing_costs_no_request(tmp_path, caplog):
    log = LogFile(Options("/dev/full"), SystemClock())
    with caplog.at_level(logging.ERROR):
        log.write(EVENT)
    assert "an audit event is lost" in caplog.text


def test_too_large_events_lose_their_objects():
    cut = truncation.cut(EVENT, 600)
    assert cut is not None
    assert "requestObject" not in cut
    assert cut["annotations"] == {"audit.k8s.io/truncated": "true"}
    assert truncation.cut(EVENT, 10_000) is truncation.cut(EVENT, 0) is EVENT
    assert truncation.cut(EVENT, 50) is None
    assert "requestObject" in EVENT


def test_the_old_form():
    assert texts.line(EVENT) == (
        b'2026-01-01T00:00:00.000000Z AUDIT: id="1" stage="ResponseComplete" ip="127.0.0.1" method="create" user="alice" '
        b'groups="a","b" as="<self>" asgroups="<lookup>" user-agent="a \\"b\\"" namespace="default" '
        b'uri="/api/v1/namespaces/default/pods" response="201"\n'
    )
