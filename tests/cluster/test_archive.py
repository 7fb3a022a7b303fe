"""What is read from a backup is only what is written into one."""

import io
import pathlib
import tarfile

import pytest

from steersman.cluster import archive

ABOUT = archive.About("mine", "2026-01-01T00:00:00Z", "1.0")


@pytest.fixture
def cluster(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "cluster"
    (folder / "pki").mkdir(parents=True)
    (folder / "store.db").write_bytes(b"objects")
    (folder / "options.json").write_text("{}")
    (folder / "pki" / "ca.crt").write_text("certificate")
    (folder / "pki" / "ca.key").write_text("key")
    (folder / "pki" / "link").symlink_to("/etc/passwd")
    return folder


def written(cluster: pathlib.Path, about: archive.About = ABOUT) -> pathlib.Path:
    file = cluster.parent / "backup.tar.gz"
    archive.write(file, about, cluster / "store.db", cluster / "options.json", cluster / "pki")
    return file


def unpacked(file: pathlib.Path) -> tuple[archive.About, pathlib.Path]:
    folder = file.parent / "unpacked"
    folder.mkdir()
    return archive.read(file, folder), folder


def test_what_is_written_is_read(cluster: pathlib.Path) -> None:
    file = written(cluster)
    assert file.stat().st_mode & 0o077 == 0
    about, folder = unpacked(file)
    assert about == ABOUT
    found = {str(one.relative_to(folder)): one.read_text() for one in folder.rglob("*") if one.is_file()}
    assert found == {"store.db": "objects", "options.json": "{}", "pki/ca.crt": "certificate", "pki/ca.key": "key"}
    assert (folder / "pki" / "ca.key").stat().st_mode & 0o077 == 0


def hostile(file: pathlib.Path, name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
    with tarfile.open(file, "w:gz") as made:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, target, 4 if kind == tarfile.REGTYPE else 0
        made.addfile(member, io.BytesIO(b"evil") if kind == tarfile.REGTYPE else None)


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("../store.db", tarfile.REGTYPE, ""),
        ("/etc/cron.d/x", tarfile.REGTYPE, ""),
        ("pki/../../x", tarfile.REGTYPE, ""),
        ("pki/.x", tarfile.REGTYPE, ""),
        ("pki/a/b", tarfile.REGTYPE, ""),
        ("store.db", tarfile.SYMTYPE, "/etc/passwd"),
        ("store.db", tarfile.LNKTYPE, "/etc/passwd"),
        ("pki", tarfile.DIRTYPE, ""),
        ("store.db", tarfile.CHRTYPE, ""),
    ],
)
def test_anything_else_in_it_is_refused(tmp_path: pathlib.Path, name: str, kind: bytes, target: str) -> None:
    file = tmp_path / "hostile.tar.gz"
    hostile(file, name, kind, target)
    with pytest.raises(archive.NoBackup, match="is no backup of a cluster"):
        unpacked(file)
    assert not [one for one in (tmp_path / "unpacked").rglob("*") if one.is_file()]


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00" + b"x" * 40])
def test_what_is_no_archive_is_refused(tmp_path: pathlib.Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(archive.NoBackup):
        unpacked(file)


def test_half_an_archive_is_refused(cluster: pathlib.Path) -> None:
    file = written(cluster)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(archive.NoBackup):
        unpacked(file)


def test_one_with_damage_in_its_middle_is_refused(cluster: pathlib.Path) -> None:
    file = written(cluster)
    content = bytearray(file.read_bytes())
    content[40:60] = b"\xff" * 20
    file.write_bytes(content)
    with pytest.raises(archive.NoBackup):
        unpacked(file)


def test_one_without_keys_is_refused(cluster: pathlib.Path) -> None:
    """What is there already is removed before what replaces it is put there: that has to be whole."""
    for key in (cluster / "pki").iterdir():
        key.unlink()
    with pytest.raises(archive.NoBackup):
        unpacked(written(cluster))


def test_a_newer_one_is_refused(cluster: pathlib.Path) -> None:
    file = written(cluster, archive.About("mine", "2026-01-01T00:00:00Z", "9.0", archive.FORMAT + 1))
    with pytest.raises(archive.NoBackup, match=r"newer Steersman \(9\.0\)"):
        unpacked(file)
