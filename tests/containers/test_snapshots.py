"""Root filesystems by overlayfs, by fuse-overlayfs and by a copy: a container cannot tell which."""

import dataclasses
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers import syscalls
from steersman.containers.images import build
from steersman.containers.oci import copying, snapshots
from steersman.containers.runtime import IdRange, Mount, Security
from steersman.kubelet import storage_limits
from tests.containers import lab
from tests.containers.lab import FOREVER, IMAGE, Lab

pytestmark = [pytest.mark.root, pytest.mark.slow]

MI = 1 << 20


def layers() -> list[bytes]:
    """The upper one takes away, replaces and hides."""
    low = build.busybox_tree()
    for name in ("gone", "kept"):
        low.file(f"folder/{name}", f"{name}\n")
    low.file("hidden/old", "old\n")
    low.link("points", "/folder")
    low.file("file-then-folder", "x")
    low.file("secret", "secret\n", mode=0o600)
    low.folder("shared", mode=0o1777)
    high = build.Tree()
    high.file("folder/.wh.gone", "")
    high.folder("hidden")
    high.file("hidden/.wh..wh..opq", "")
    high.file("hidden/new", "new\n")
    high.file("points/within", "a folder now\n")
    high.file("file-then-folder/within", "x")
    return [low.content(), high.content()]


@pytest.fixture(params=[snapshots.OVERLAY, snapshots.FUSE, snapshots.COPY])
async def oci(request: pytest.FixtureRequest, clock: SystemClock, clean_machine: str, group: str) -> AsyncIterator[Lab]:
    if request.param == snapshots.FUSE and not snapshots.fuse_program():
        pytest.skip("needs fuse-overlayfs")
    archive = f"{clean_machine}/image.tar"
    build.write_archive(archive, IMAGE, layers(), {"Cmd": ["sh"]})
    async with lab.oci_lab(clock, clean_machine, group, archive, snapshotter=request.param) as found:
        yield found


async def output(oci: Lab, text: str, sandbox_id: str = "", **wanted: Any) -> str:
    program = dataclasses.replace(FOREVER, shell=f"exec 2>&1; {text}; echo THE END")
    container_id = await oci.run(program, sandbox_id, **wanted)
    return (await oci.log(container_id, lambda log: "THE END" in log)).replace("THE END\n", "")


async def test_layers_are_merged(oci: Lab):
    text = "ls folder hidden file-then-folder; cat points/within; test -L points || echo no link"
    assert await output(oci, text) == (
        "file-then-folder:\nwithin\n\nfolder:\nkept\n\nhidden:\nnew\na folder now\nno link\n"
    )


async def test_each_has_changes_of_its_own(oci: Lab):
    sandbox_id = await oci.sandbox()
    text = "rm folder/kept; rm -r hidden; mkdir hidden; echo 1 >>hidden/mine; mv points moved; ls folder hidden moved"
    assert await output(oci, text, sandbox_id) == "folder:\n\nhidden:\nmine\n\nmoved:\nwithin\n"
    assert await output(oci, "ls folder hidden", sandbox_id) == "folder:\nkept\n\nhidden:\nnew\n"


async def test_users_who_are_not_root(oci: Lab):
    text = "cat secret; echo mine >shared/file; cat shared/file; cat folder/kept"
    wanted = Security(run_as_user=1000, run_as_group=1000)
    assert await output(oci, text, security=wanted) == "cat: can't open 'secret': Permission denied\nmine\nkept\n"


async def test_a_pod_with_users_of_its_own(oci: Lab):
    sandbox_id = await oci.sandbox(users=IdRange(200_000))
    text = "stat -c '%u %g' secret; echo more >>secret; cat secret; tr -s ' ' </proc/self/uid_map"
    assert await output(oci, text, sandbox_id) == "0 0\nsecret\nmore\n 0 200000 65536\n"


async def test_an_image_as_a_volume(oci: Lab):
    mount = Mount("/image", "", image=IMAGE, read_only=True)
    text = "ls /image/folder /image/hidden; touch /image/x"
    assert await output(oci, text, mounts=(mount,)) == (
        "/image/folder:\nkept\n\n/image/hidden:\nnew\ntouch: /image/x: Read-only file system\n"
    )


async def test_what_is_written_is_measured(oci: Lab):
    container_id = await oci.run(FOREVER)
    folder = Path(oci.node.changes_folder(container_id))
    before = storage_limits.measure([folder])
    await oci.node.exec_sync(container_id, ["dd", "if=/dev/zero", "of=/big", "bs=1048576", "count=2"], 10)
    after = storage_limits.measure([folder])
    assert 2 * MI <= after.bytes - before.bytes < 3 * MI
    assert after.inodes == before.inodes + 1


async def test_nothing_is_left(oci: Lab, clean_machine: str):
    sandbox_id = await oci.sandbox()
    container_id = await oci.run(FOREVER, sandbox_id)
    folder = Path(oci.node.changes_folder(container_id)).parent
    assert folder.exists()
    await oci.node.stop_container(container_id, 0)
    await oci.node.remove_container(container_id)
    assert not folder.exists()
    assert not list(Path(clean_machine, "run", "roots").iterdir())


def test_a_file_with_several_names_is_copied_once(tmp_path: Path) -> None:
    source, target = tmp_path / "layer", tmp_path / "copy"
    source.mkdir(mode=0o750)
    target.mkdir()
    (source / "one").write_text("x")
    (source / "two").hardlink_to(source / "one")
    os.chown(source / "one", 12, 34)
    (source / "one").chmod(0o4755)
    os.utime(source / "one", (1, 2))
    os.mkfifo(source / "pipe")
    os.setxattr(source / "one", "user.key", b"value")
    copying.copy([str(source)], str(target))
    one, two = (target / "one").stat(), (target / "two").stat()
    assert one.st_ino == two.st_ino
    assert (one.st_uid, one.st_gid, one.st_mode & 0o7777, one.st_mtime) == (12, 34, 0o4755, 2)
    assert os.getxattr(target / "two", "user.key") == b"value"
    assert (target / "pipe").is_fifo()
    assert target.stat().st_mode & 0o777 == 0o750


def test_the_next_is_taken_where_overlayfs_does_not_work(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("lower", "upper", "work", "top"):
        (tmp_path / name).mkdir()
    top = str(tmp_path / "top")
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    syscalls.mount("overlay", top, "overlay", 0, options)
    try:
        with caplog.at_level(logging.WARNING):
            assert snapshots.choose(snapshots.AUTO, top, is_rootless=False) in (snapshots.FUSE, snapshots.COPY)
        assert "which is slower, as others cannot: overlayfs: " in caplog.text
        with pytest.raises(snapshots.Unusable, match="no root filesystems by overlayfs: "):
            snapshots.choose(snapshots.OVERLAY, top, is_rootless=False)
        assert not os.listdir(top)
    finally:
        syscalls.unmount(top)
    assert snapshots.choose(snapshots.AUTO, str(tmp_path), is_rootless=False) == snapshots.OVERLAY
