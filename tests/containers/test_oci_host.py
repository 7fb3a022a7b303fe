"""Small decisions about the host: mounts as /proc shows them, endings, stop signals, resolv.conf."""

import dataclasses
import datetime
import signal

import pytest

from steersman.containers import runtime
from steersman.containers.oci import host_mounts, sandbox, statuses
from steersman.containers.runtime import State

MOUNTS = """\
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
28 27 0:24 / /data rw,relatime - tmpfs tmpfs rw
29 28 0:24 / /data/with\\040space rw,relatime shared:7 master:1 - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/x", True), ("/data", False), ("/data/x", False), ("/database", True), ("/data/with space/x", True)],
)
def test_whether_a_folder_is_shared(path, expected):
    assert host_mounts.is_shared(MOUNTS, path) is expected


def test_why_mounts_do_not_flow():
    complaint = host_mounts.propagation_complaint
    assert complaint("/x", "rshared", MOUNTS) == complaint("/data/with space", "rslave", MOUNTS) == ""
    assert (
        complaint("/data/x", "rshared", MOUNTS) == 'path "/data/x" is mounted on "/data" but it is not a shared mount'
    )
    assert complaint("/data", "rslave", MOUNTS).endswith("it is not a shared or slave mount")


def test_whether_a_folder_is_a_mount_point():
    assert host_mounts.is_mount_point(MOUNTS, "/data/with space")
    assert not host_mounts.is_mount_point(MOUNTS, "/data/x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", signal.SIGTERM),
        ("SIGQUIT", signal.SIGQUIT),
        ("quit", signal.SIGQUIT),
        ("3", signal.SIGQUIT),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
        ("nonsense", signal.SIGTERM),
    ],
)
def test_stop_signals(text, expected):
    assert statuses.signal_number(text) == expected


STATUS = runtime.ContainerStatus(
    "id",
    "sandbox",
    "uid",
    "name",
    0,
    State.RUNNING,
    "image",
    "image@x",
    datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
)
ENDING = {"code": 0, "signal": 0, "at": "2026-01-01T00:00:05+00:00", "oom": False, "unknown": False}


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({}, 0, "Completed"),
        ({"code": 3}, 3, "Error"),
        ({"code": 137, "signal": 9}, 137, "Error"),
        ({"code": 137, "signal": 9, "oom": True}, 137, "OOMKilled"),
        ({"unknown": True}, 137, "ContainerStatusUnknown"),
        ({"code": 128, "message": "no such file"}, 128, "StartError"),
    ],
)
def test_endings(change, code, reason):
    found = statuses.exited(STATUS, ENDING | change)
    assert (found.state, found.exit_code, found.reason) == (State.EXITED, code, reason)
    assert found.finished_at == datetime.datetime(2026, 1, 1, 0, 0, 5, tzinfo=datetime.UTC)


def test_records_come_back_as_they_were(tmp_path):
    config = runtime.SandboxConfig("uid", "web", "default", labels={"a": "b"}, dns=runtime.Dns(("10.96.0.10",)))
    record = statuses.SandboxRecord("id", config, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), ("10.0.0.1",))
    statuses.write_sandbox(str(tmp_path), record)
    assert statuses.read_sandbox(str(tmp_path)) == record
    statuses.write_sandbox(str(tmp_path), dataclasses.replace(record, ready=False))
    assert statuses.read_sandbox(str(tmp_path)) == dataclasses.replace(record, ready=False)
    assert statuses.read_container(str(tmp_path / "absent")) is None


@pytest.mark.parametrize(
    ("dns", "expected"),
    [
        (runtime.Dns(), ""),
        (runtime.Dns(("1.1.1.1",)), "nameserver 1.1.1.1\n"),
        (
            runtime.Dns(("1.1.1.1", "2.2.2.2"), ("a", "b"), ("ndots:5",)),
            "search a b\nnameserver 1.1.1.1\nnameserver 2.2.2.2\noptions ndots:5\n",
        ),
    ],
    ids=["nothing", "a server", "all"],
)
def test_resolv_conf(dns, expected):
    assert sandbox.resolv_conf(dns) == expected
