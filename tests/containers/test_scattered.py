"""Folders of pods on ext4 without a journal, and anywhere else."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from steersman.containers import scattered


@pytest.fixture(params=["^has_journal", "has_journal"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, bool]]:
    """An ext4 of our own, and whether it has a journal."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("needs root and mkfs.ext4")
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", request.param, str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(folder)], capture_output=True).returncode:
        pytest.skip("needs loop devices")
    try:
        yield folder, request.param == "has_journal"
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.root
def test_pods_are_scattered_where_there_is_no_journal(disk: tuple[Path, bool]):
    folder, has_journal = disk
    for _ in range(2):
        scattered.make(str(folder / "pods"))
    assert ("T" in attributes(folder / "pods")) is not has_journal
    (folder / "pods" / "pod").mkdir()
    assert "T" not in attributes(folder / "pods" / "pod"), "what belongs to one pod stays together"


def test_any_other_file_system(tmp_path: Path):
    scattered.make("/dev/shm")
    scattered.make(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()


def attributes(folder: Path) -> str:
    return subprocess.run(["lsattr", "-d", str(folder)], check=True, capture_output=True, text=True).stdout.split()[0]
