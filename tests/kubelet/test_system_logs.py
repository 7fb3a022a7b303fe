"""/logs/: the node's own logs, and nothing beside them."""

import os
from pathlib import Path

import pytest

from steersman.kubelet import system_logs
from steersman.meta.errors import StatusError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "log"
    (found / "apt").mkdir(parents=True)
    (found / "syslog").write_text("a line\n")
    (found / "a & b").touch()
    (found / "inside").symlink_to("/syslog")
    (found / "outside").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    os.mkfifo(found / "pipe")
    return found


async def text(folder: Path, path: str) -> str:
    answer = await system_logs.serve(folder, path)
    assert answer.status == 200
    return (answer.body if answer.stream is None else b"".join([piece async for piece in answer.stream])).decode()


async def test_a_folder_is_a_list_of_links(folder: Path) -> None:
    assert (await text(folder, "")).splitlines()[2:] == [
        "<pre>",
        '<a href="a%20%26%20b">a &amp; b</a>',
        '<a href="apt/">apt/</a>',
        '<a href="inside">inside</a>',
        '<a href="outside">outside</a>',
        '<a href="pipe">pipe</a>',
        '<a href="syslog">syslog</a>',
        "</pre>",
    ]
    assert "<pre>\n</pre>" in await text(folder, "apt/")


async def test_files_as_they_are(folder: Path) -> None:
    assert await text(folder, "syslog") == "a line\n"
    assert await text(folder, "inside") == "a line\n", "a link's target is looked for within the folder"


async def test_a_folder_without_its_slash_is_somewhere_else(folder: Path) -> None:
    answer = await system_logs.serve(folder, "apt")
    assert (answer.status, answer.headers["location"]) == (301, "apt/")


@pytest.mark.parametrize("path", ["nothing", "outside", "../secret", "apt/../../secret", "pipe"])
async def test_nothing_else(folder: Path, path: str) -> None:
    with pytest.raises(StatusError) as refused:
        await system_logs.serve(folder, path)
    assert refused.value.code == 404
