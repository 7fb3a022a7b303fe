"""Runtimes for tests, and the proof after each test that nothing of it is left on the machine."""

import asyncio
import concurrent.futures
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers.cri import containerd
from steersman.containers.images import build
from steersman.containers.oci import host, host_mounts, snapshots
from tests.containers import lab

_numbers = itertools.count()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture(scope="session")
def hello_archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build.build_hello("1", tmp_path_factory.mktemp("image") / "hello.tar")


@pytest.fixture
def group() -> str:
    """A control group of its own for each test."""
    return f"steersman-test-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def clean_machine(tmp_path: Path, group: str) -> Iterator[str]:
    """A folder for a runtime. Afterwards there must be no mount, process or group left; what is left is removed."""
    if os.geteuid() != 0 or not any(map(shutil.which, host.RUNTIMES)):
        pytest.skip("needs root and crun or runc")
    for folder in (tmp_path, *(one for one in tmp_path.parents if one.name.startswith(("pytest-", "popen-")))):
        folder.chmod(0o711)  # pods' own users are nobody out here, but must reach their root file systems
    yield str(tmp_path)
    left = {
        "mounts": [line for line in _read("/proc/self/mountinfo").splitlines() if str(tmp_path) in line],
        "processes": _processes_of(str(tmp_path)),
        "groups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{group}")]
        + [str(path) for path in Path("/sys/fs/cgroup").glob(group)],
    }
    host_mounts.unmount_below(str(tmp_path))
    assert left == {"mounts": [], "processes": [], "groups": []}


@pytest.fixture
async def oci(clean_machine: str, group: str, clock: SystemClock, hello_archive: str) -> AsyncIterator[lab.Lab]:
    """The embedded runtime with the hello image."""
    async with lab.oci_lab(clock, clean_machine, group, hello_archive) as found:
        yield found


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[containerd.Containerd]:
    """A containerd for all tests; each has pods of its own in it."""
    try:
        containerd.installed()
    except containerd.NotInstalled as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("containerd")
    made = containerd.Containerd(folder / "root", folder / "run", "10.88.7.0/24", SystemClock())
    _in_thread(made.start())
    yield made
    _in_thread(made.stop())
    made.clear_away()


def _in_thread(work: Coroutine[Any, Any, None]) -> None:
    """For a fixture of the session, which may be asked for while a test's event loop runs."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


@pytest.fixture(
    params=[
        "fake",
        pytest.param("oci", marks=pytest.mark.root),
        pytest.param("oci fuse-overlayfs", marks=[pytest.mark.root, pytest.mark.slow]),
        pytest.param("oci copy", marks=[pytest.mark.root, pytest.mark.slow]),
        pytest.param("cri", marks=[pytest.mark.root, pytest.mark.slow]),
    ]
)
async def either(request: pytest.FixtureRequest, clock: SystemClock, tmp_path: Path) -> AsyncIterator[lab.Lab]:
    """Each runtime in turn."""
    if request.param == "fake":
        runtime = lab.fake_lab(clock, str(tmp_path))
    else:
        folder, group = request.getfixturevalue("clean_machine"), request.getfixturevalue("group")
        archive = request.getfixturevalue("hello_archive")
        if request.param.startswith("oci"):
            runtime = snapshotting(request.param.partition(" ")[2], clock, folder, group, archive)
        else:
            runtime = lab.cri_lab(clock, folder, group, archive, request.getfixturevalue("daemon"))
    async with runtime as found:
        yield found


def snapshotting(kind: str, clock: SystemClock, folder: str, group: str, archive: str) -> Any:
    """The embedded runtime whose root filesystems are made in this way; "": as it chooses itself."""
    if kind == snapshots.FUSE and not snapshots.fuse_program():
        pytest.skip("needs fuse-overlayfs")
    return lab.oci_lab(clock, folder, group, archive, snapshotter=kind or snapshots.AUTO)


def _processes_of(folder: str) -> list[str]:
    """Command lines of processes that have to do with `folder`: shims by their arguments, containers by their group."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and process.name != str(os.getpid()):
            try:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                groups = (process / "cgroup").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if folder in command or f"/steersman-test-{os.getpid()}-" in groups:
                found.append(f"{process.name} {command}")
    return found


def _read(path: str) -> str:
    return Path(path).read_text()
