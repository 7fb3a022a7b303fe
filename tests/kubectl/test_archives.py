"""Files in and out of tar streams, hostile ones too."""

import io
import pathlib
import tarfile

import pytest

from steersman.kubectl import archives
from steersman.kubectl.archives import FileSpec, Unpacking


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("a/b", FileSpec("a/b")),
        ("/tmp/x/", FileSpec("/tmp/x")),
        ("/", FileSpec("/")),
        ("web:/tmp/x", FileSpec("/tmp/x", "web")),
        ("ns/web:rel", FileSpec("rel", "web", "ns")),
        ("web:a:b", FileSpec("a:b", "web")),
        ("web:c\\d", FileSpec("c/d", "web")),
        ("web:", FileSpec("", "web")),
    ],
)
def test_specs(text: str, spec: FileSpec) -> None:
    assert archives.parse_spec(text) == spec


@pytest.mark.parametrize("text", [":/x", "a/b/c:/x"])
def test_what_is_no_spec(text: str) -> None:
    with pytest.raises(archives.FileSpecError, match="filespec must match the canonical format"):
        archives.parse_spec(text)


def test_files_go_in_as_they_are(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "data"
    (folder / "empty").mkdir(parents=True)
    (folder / "one").write_text("1\n")
    (folder / "big").write_bytes(b"x" * 100_000)
    (folder / "run").write_text("#!")
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("one")
    stream = io.BytesIO(b"".join(archives.pack(f"{folder}/", "there")))
    with tarfile.open(fileobj=stream) as archive:
        found = {member.name: member for member in archive}
        assert sorted(found) == ["there/big", "there/empty", "there/link", "there/one", "there/run"]
        assert found["there/link"].linkname == "one"
        assert found["there/run"].mode == 0o755
        assert found["there/empty"].isdir()
        big = archive.extractfile("there/big")
        assert big is not None
        assert big.read() == b"x" * 100_000


def archive(*members: tuple[str, bytes | str]) -> io.BytesIO:
    """Bytes are a file, text is where a link leads; a name that ends with / is a folder."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for name, content in members:
            member = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            else:
                member.size = len(content)
            made.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    stream.seek(0)
    return stream


def unpacked(stream: io.BytesIO, prefix: str, destination: pathlib.Path) -> list[str]:
    said: list[str] = []
    archives.unpack(stream, Unpacking(prefix, str(destination), "kubectl exec …", said.append))
    return said


def test_what_comes_out(tmp_path: pathlib.Path) -> None:
    stream = archive(("tmp/d/", b""), ("tmp/d/one", b"1\n"), ("tmp/d/in/", b""), ("tmp/d/in/two", b"2\n"))
    assert unpacked(stream, "tmp/d", tmp_path / "out") == []
    assert (tmp_path / "out/one").read_text() == "1\n"
    assert (tmp_path / "out/in/two").read_text() == "2\n"


def test_one_file_is_named_as_the_destination(tmp_path: pathlib.Path) -> None:
    assert unpacked(archive(("etc/hostname", b"web\n")), "etc/hostname", tmp_path / "name") == []
    assert (tmp_path / "name").read_text() == "web\n"


def test_nothing_lands_outside(tmp_path: pathlib.Path) -> None:
    inner = tmp_path / "a" / "b"
    stream = archive(("d/../../escaped", b"1"), ("d/../..", b"2"), ("d/ok", b"3"), ("d/x/../../../../up", b"4"))
    said = unpacked(stream, "d", inner)
    assert [line.partition('"')[0] for line in said] == ["warning: file "] * 3
    assert all(line.endswith("is outside target destination, skipping\n") for line in said)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ok"]


def test_links_are_told_of_and_not_made(tmp_path: pathlib.Path) -> None:
    stream = archive(("d/evil", "/etc"), ("d/evil/passwd", b"x"), ("d/second", "one"))
    said = unpacked(stream, "d", tmp_path / "out")
    assert said == [
        f'warning: skipping symlink: "{tmp_path}/out/evil" -> "/etc" (consider using "kubectl exec …")\n',
        f'warning: skipping symlink: "{tmp_path}/out/second" -> "one"\n',
    ]
    assert not (tmp_path / "out/evil").is_symlink()


def test_an_archive_of_something_else(tmp_path: pathlib.Path) -> None:
    with pytest.raises(archives.CopyError, match=r"^tar contents corrupted$"):
        unpacked(archive(("other/one", b"")), "d", tmp_path)
    with pytest.raises(archives.CopyError):
        unpacked(io.BytesIO(archive(("d/one", b"x" * 5000)).getvalue()[:2000]), "d", tmp_path)
    assert unpacked(io.BytesIO(), "d", tmp_path) == []  # tar has said why on its stderr


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("/tmp/x", "tmp/x"), ("../../x", "x"), ("/../x", "x"), (".", ""), ("/", ""), ("a/./b", "a/b"), ("..", "")],
)
def test_the_prefix_of_members(path: str, prefix: str) -> None:
    assert archives.remote_prefix(path) == prefix
