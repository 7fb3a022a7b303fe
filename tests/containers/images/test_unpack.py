"""Layers become folders; hostile ones reach nothing outside."""

import contextlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steersman.containers.images import files, unpack


class Layer:
    """A tar, entry by entry."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **more: Any) -> "Layer":
        entry = tarfile.TarInfo(name)
        entry.type, entry.size, entry.mode = kind, len(content), 0o755 if kind == tarfile.DIRTYPE else 0o644
        for key, value in more.items():
            setattr(entry, key, value)
        self._tar.addfile(entry, io.BytesIO(content))
        return self

    def folder(self, name: str, **more: Any) -> "Layer":
        return self.add(name, tarfile.DIRTYPE, **more)

    def link(self, name: str, target: str) -> "Layer":
        return self.add(name, tarfile.SYMTYPE, linkname=target)

    def hard(self, name: str, target: str) -> "Layer":
        return self.add(name, tarfile.LNKTYPE, linkname=target)

    def stream(self) -> io.BytesIO:
        self._tar.close()
        self._buffer.seek(0)
        return self._buffer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder to unpack into, beside things that must stay as they are."""
    (tmp_path / "secret").write_text("untouched")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture(autouse=True)
def outside_is_untouched(tmp_path: Path) -> Iterator[None]:
    yield
    assert (tmp_path / "secret").read_text() == "untouched"
    assert sorted(os.listdir(tmp_path)) == ["root", "secret"]


def apply(layer: Layer, root: Path) -> None:
    unpack.unpack(layer.stream(), str(root), rootless=os.geteuid() != 0)


def test_files_folders_and_links(root: Path):
    layer = Layer().folder("./").folder("./bin/").add("bin/tool", content=b"#!", mode=0o4755, mtime=1000)
    apply(layer.link("bin/other", "tool").hard("bin/same", "bin/tool").add("deep/er/file", content=b"x"), root)
    assert (root / "bin/tool").read_bytes() == b"#!"
    assert stat.S_IMODE((root / "bin/tool").stat().st_mode) == 0o4755
    assert (root / "bin/tool").stat().st_mtime == 1000
    assert os.readlink(root / "bin/other") == "tool"
    assert (root / "bin/same").stat().st_ino == (root / "bin/tool").stat().st_ino
    assert (root / "deep/er/file").read_text() == "x"


def test_a_later_entry_wins(root: Path):
    layer = (
        Layer()
        .add("a", content=b"1")
        .folder("a")
        .add("a/b", content=b"2")
        .link("a", "elsewhere")
        .add("a", content=b"3")
    )
    apply(layer, root)
    assert (root / "a").read_bytes() == b"3"


@pytest.mark.skipif(os.geteuid() != 0, reason="other owners need root")
def test_owners(root: Path):
    apply(Layer().add("file", uid=1000, gid=1001).add("old", mode=0o2755, gid=5), root)
    assert ((root / "file").stat().st_uid, (root / "file").stat().st_gid) == (1000, 1001)
    assert stat.S_IMODE((root / "old").stat().st_mode) == 0o2755


HOSTILE: dict[str, Any] = {
    "an absolute name": Layer().add("/etc/new", content=b"x"),
    "an absolute link, then through it": lambda outside: (
        Layer().link("out", outside).add("out/secret", content=b"evil")
    ),
    "a link upwards, then through it": lambda _: Layer().link("up", "..").add("up/secret", content=b"evil"),
    "a link to itself": Layer().link("loop", "loop").add("loop/x"),
    "a file over a link": lambda outside: Layer().link("s", outside + "/secret").add("s", content=b"evil"),
    "a folder over a link": lambda outside: Layer().link("s", outside).folder("s").add("s/secret", content=b"evil"),
    "a hard link to the outside": lambda outside: Layer().hard("h", outside + "/secret").add("h", content=b"evil"),
    "a hard link through a link": lambda outside: Layer().link("o", outside).hard("h", "o/secret"),
    "a whiteout through a link": lambda outside: Layer().link("o", outside).add("o/.wh.secret"),
    "a mode through a link": lambda outside: Layer().link("o", outside + "/secret").hard("h", "o").add("h", mode=0o777),
    "a fifo": Layer().add("pipe", tarfile.FIFOTYPE),
    "a fifo, then opened for an attribute": Layer().add(
        "pipe", tarfile.FIFOTYPE, pax_headers={"SCHILY.xattr.user.a": "1"}
    ),
    "an opaque marker through a link": lambda outside: Layer().link("o", outside).add("o/.wh..wh..opq"),
    "a hard link to itself": Layer().hard("h", "h"),
    "a hard link to a folder": Layer().folder("d").hard("h", "d"),
    "a folder in place of its own parent's link": lambda outside: Layer().link("o", outside).add("o/a/b").folder("o"),
    "names of other alphabets": Layer().add("ü/文/\u202e\n\x01", content=b"x").add("\udcff\udcfe", content=b"x"),
    "a name that is too long": Layer().add("n" * 300),
    "a path that is too long": Layer().add("/".join(["d" * 200] * 30)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_entries_stay_inside(root: Path, name: str):
    made = HOSTILE[name]
    layer = made(str(root.parent)) if callable(made) else made
    with contextlib.suppress(OSError):  # refused by the kernel is as good
        apply(layer, root)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Layer().add("../secret", content=b"evil"),
        lambda: Layer().add("a/../../secret", content=b"evil"),
        lambda: Layer().hard("h", "../secret"),
        lambda: Layer().add(".wh..."),
        lambda: Layer().add(".wh."),
    ],
    ids=["..", "deep ..", "hard link to ..", "whiteout of ..", "whiteout of nothing"],
)
def test_refused(root: Path, layer):
    with pytest.raises(unpack.HostileLayer):
        apply(layer(), root)


BEYOND: dict[str, Any] = {
    "folders in folders": {"name": "d/" * 1000 + "file"},
    "an owner": {"name": "file", "pax_headers": {"uid": str(1 << 70)}},
    "a time": {"name": "file", "pax_headers": {"mtime": "1e300"}},
    "no time": {"name": "file", "pax_headers": {"mtime": "inf"}},
    "a folder's time": {"name": "folder", "kind": tarfile.DIRTYPE, "pax_headers": {"mtime": "1e300"}},
    "a zero in a name": {"name": "file", "pax_headers": {"path": "a\0b"}},
    "an attribute of no name": {"name": "file", "pax_headers": {"SCHILY.xattr.": "x"}},
    "an attribute too large": {"name": "file", "pax_headers": {"SCHILY.xattr.user.a": "x" * 100_000}},
}


@pytest.mark.parametrize("name", BEYOND)
def test_values_that_no_kernel_takes(root: Path, name: str):
    """Whoever pulls is told by one of the errors that it expects."""
    with contextlib.suppress(tarfile.TarError, OSError, ValueError):
        apply(Layer().add(**BEYOND[name]), root)


def test_holes_take_no_room(root: Path):
    """A layer of a few hundred bytes that says it holds a file of 64 GiB (GNU's sparse format)."""
    size = 64 << 30
    headers = {"GNU.sparse.map": f"0,1,{size - 1},1", "GNU.sparse.size": str(size)}
    apply(Layer().add("file", content=b"ab", pax_headers=headers), root)
    found = (root / "file").stat()
    assert found.st_size == size
    assert found.st_blocks * 512 < 1 << 20
    with open(root / "file", "rb") as file:
        assert file.read(1) == b"a"
        file.seek(-1, os.SEEK_END)
        assert file.read(1) == b"b"


def test_devices_are_left_out(root: Path):
    apply(
        Layer().add("dev/sda", tarfile.BLKTYPE, devmajor=8, devminor=0).add("dev/mem", tarfile.CHRTYPE, devmajor=1),
        root,
    )
    assert list((root / "dev").iterdir()) == []


def test_overlay_attributes_are_left_out_and_others_kept(root: Path):
    attributes = {"trusted.overlay.redirect": "/etc", "user.overlay.opaque": "y", "user.mine": "1"}
    headers = {f"SCHILY.xattr.{name}": value for name, value in attributes.items()}
    apply(Layer().add("file", pax_headers=headers), root)
    assert set(os.listxattr(root / "file")) <= {"user.mine"}


@pytest.mark.skipif(os.geteuid() != 0, reason="trusted attributes need root")
def test_whiteouts_become_overlay_s_own(root: Path):
    apply(Layer().folder("etc").add("etc/.wh.passwd").folder("var").add("var/.wh..wh..opq"), root)
    found = (root / "etc/passwd").lstat()
    assert stat.S_ISCHR(found.st_mode)
    assert found.st_rdev == 0
    assert os.getxattr(root / "var", "trusted.overlay.opaque") == b"y"


class TestReadingAcrossLayers:
    def layers(self, root: Path, *tars: Layer) -> list[str]:
        """Unpacked, top one first."""
        found = []
        for number, tar in enumerate(tars):
            (root / str(number)).mkdir()
            apply(tar, root / str(number))
            found.append(str(root / str(number)))
        return found

    def test_the_top_one_wins(self, root: Path):
        layers = self.layers(root, Layer().add("etc/x", content=b"top"), Layer().add("etc/x", content=b"low"))
        assert files.read(layers, "etc/x") == "top"

    def test_what_only_a_lower_one_has(self, root: Path):
        layers = self.layers(root, Layer().add("etc/y"), Layer().add("etc/x", content=b"low"))
        assert files.read(layers, "/etc/x") == "low"

    @pytest.mark.skipif(os.geteuid() != 0, reason="whiteouts need root")
    @pytest.mark.parametrize("marker", ["etc/.wh.x", ".wh.etc", "etc/.wh..wh..opq"])
    def test_what_was_removed(self, root: Path, marker: str):
        layers = self.layers(root, Layer().add(marker), Layer().add("etc/x", content=b"low"))
        assert files.read(layers, "etc/x") == ""

    @pytest.mark.parametrize("target", ["/etc/real", "real", "../etc/real", "../../../etc/real"])
    def test_links_stay_in_the_image(self, root: Path, target: str):
        layers = self.layers(root, Layer().link("etc/x", target), Layer().add("etc/real", content=b"inside"))
        assert files.read(layers, "etc/x") == "inside"

    def test_links_to_the_host(self, root: Path):
        layers = self.layers(root, Layer().link("etc/x", str(root.parent / "secret")).link("loop", "loop"))
        assert files.read(layers, "etc/x") == ""
        assert files.read(layers, "loop") == ""
