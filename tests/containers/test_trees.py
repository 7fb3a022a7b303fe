"""Trees that somebody else has filled are removed and walked through, however deep, and no link is followed."""

import os
from pathlib import Path

import pytest

from steersman.containers import trees

DEEPER_THAN_A_PATH = 3000  # folders in each other: 6,000 bytes of path


def deep(top: Path, depth: int = DEEPER_THAN_A_PATH, name: str = "d") -> None:
    """Folders in folders, as a container makes them: by going into each."""
    folder = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)


class TestRemove:
    def test_everything_goes_and_what_links_lead_to_stays(self, tmp_path: Path):
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept/file").write_text("x")
        top = tmp_path / "top"
        (top / "a/b").mkdir(parents=True)
        (top / "a/b/link").symlink_to(tmp_path / "kept")
        (top / "file").write_text("x")
        os.mkfifo(top / "a/fifo")
        trees.remove(top)
        assert not top.exists()
        assert (tmp_path / "kept/file").read_text() == "x"

    def test_deeper_than_a_path_can_be(self, tmp_path: Path):
        (tmp_path / "top/..0").mkdir(parents=True)  # names that lifted folders would take
        (tmp_path / "top/..1").write_text("")
        (tmp_path / "top/..0/file").write_text("")
        deep(tmp_path / "top")
        trees.remove(tmp_path / "top")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("made", [lambda path: path.symlink_to("/etc"), lambda path: path.write_text("")])
    def test_only_a_folder(self, tmp_path: Path, made):
        made(tmp_path / "top")
        with pytest.raises(OSError, match="top"):
            trees.remove(tmp_path / "top")
        assert os.path.lexists(tmp_path / "top")

    def test_nothing_there(self, tmp_path: Path):
        with pytest.raises(FileNotFoundError):
            trees.remove(tmp_path / "top")


class TestWalk:
    def names(self, top: Path) -> list[str]:
        return sorted(name for _, name, _ in trees.walk(top))

    def test_all_below_and_nothing_behind_links(self, tmp_path: Path):
        (tmp_path / "a/b").mkdir(parents=True)
        (tmp_path / "a/b/file").write_text("x")
        (tmp_path / "a/link").symlink_to("/etc")
        (tmp_path / "a/lost").symlink_to("nowhere")
        assert self.names(tmp_path) == ["a", "b", "file", "link", "lost"]

    def test_deeper_than_a_path_can_be(self, tmp_path: Path):
        deep(tmp_path)
        assert len(self.names(tmp_path)) == DEEPER_THAN_A_PATH + 1
        trees.remove(tmp_path / "d")

    def test_a_folder_that_becomes_a_link_is_not_entered(self, tmp_path: Path):
        (tmp_path / "top/a").mkdir(parents=True)
        (tmp_path / "other").mkdir()
        (tmp_path / "other/secret").write_text("x")
        told = []
        for _, name, _ in trees.walk(tmp_path / "top"):
            told.append(name)
            (tmp_path / "top/a").rmdir()
            (tmp_path / "top/a").symlink_to(tmp_path / "other")
        assert told == ["a"]

    def test_nothing_there(self, tmp_path: Path):
        assert self.names(tmp_path / "none") == []
