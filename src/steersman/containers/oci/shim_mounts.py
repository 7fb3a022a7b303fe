"""The shim's own mount namespace, containers' root filesystems in it, and the pause process of shared process namespaces."""

import contextlib
import os
import shutil
from typing import Any

from steersman.containers import mount_trees, syscalls
from steersman.containers.oci import shim_namespaces

# What may stand beside a root filesystem: layers and volumes as its own users see them, images mounted as volumes.
IDMAPPED, VOLUME, IMAGE = "-layers", "-volume-", "-image-"
ROOTS = "roots"  # below the run directory: private to the shim, so that overlays do not show on the host


def enter_own_namespace(config: Any) -> None:
    """Mounts from outside keep flowing in (and, for Bidirectional volumes, out), except below `roots` and for cgroups."""
    roots = os.path.join(config.run_dir, ROOTS)
    os.makedirs(roots, exist_ok=True)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    # A copy of a shared mount stays its peer, which is what volumes need. The folder for root filesystems was made a mount
    # point of its own by the runtime (see `host_mounts`), so that here, and only here, it can stop sharing.
    syscalls.mount("none", roots, None, syscalls.MS_PRIVATE)
    if os.path.ismount("/sys/fs/cgroup"):
        syscalls.mount("none", "/sys/fs/cgroup", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    if config.is_rootless:
        syscalls.mount("none", "/sys/fs/cgroup", "tmpfs", syscalls.MS_RDONLY)
    elif config.cgroups.get("hide"):
        syscalls.unmount(config.cgroups["hide"])


def mount_root(launch: dict[str, Any], target: str) -> None:
    """The image's layers with the container's own changes, in the way that `snapshots` chose. Layers are named relative to their
    folder: mount options must fit into one page."""
    os.makedirs(target, exist_ok=True)
    if launch.get("snapshotter") == "copy":
        _mount_copy(launch, target)
        return
    here = os.open(".", os.O_PATH | os.O_DIRECTORY)
    layers, owners = launch["layers_dir"], launch.get("user_namespace", "")
    if owners:
        layers = target + IDMAPPED
        os.makedirs(layers, exist_ok=True)
        syscalls.mount_idmapped(launch["layers_dir"], layers, owners)
    os.chdir(layers)
    try:
        mount = mount_fuse if launch.get("snapshotter") == "fuse-overlayfs" else mount_overlay
        mount(launch["lower"], target, launch)
    finally:
        os.fchdir(here)
        os.close(here)


def mount_overlay(lower: list[str], target: str, launch: dict[str, Any]) -> None:
    options = f"lowerdir={':'.join(lower)},upperdir={launch['upper']},workdir={launch['work']}"
    extra = ",userxattr" if launch["userxattr"] else ""
    # nodev: device nodes in images are not to be used; /dev is the runtime's.
    syscalls.mount("overlay", target, "overlay", syscalls.MS_NODEV, f"{options}{extra},volatile")


def make_overlay(launch: dict[str, Any]) -> int:
    """The same, as a mount that has no place yet; -1 where that cannot be: a kernel before 6.8, a long path. So it need not be
    taken away from a place again, for which the kernel waits until every processor has looked up."""
    layers = [os.path.join(launch["layers_dir"], layer) for layer in launch["lower"]]
    folders = [("lowerdir+", layer) for layer in layers]
    folders += [("upperdir", launch["upper"]), ("workdir", launch["work"])]
    if launch["userxattr"] or any(len(os.fsencode(path)) > mount_trees.STRING_BYTES_MAX for _, path in folders):
        return -1
    context = mount_trees.open_context("overlay")
    try:
        for key, value in (("source", "overlay"), *folders, ("volatile", None)):
            mount_trees.tell(context, key, value)
        return mount_trees.create(context, mount_trees.NODEV)
    except OSError:
        return -1
    finally:
        os.close(context)


def make_mountable_again(launch: dict[str, Any]) -> None:
    """A volatile overlay is mounted once: what was in it may be lost. Nothing was in this one yet."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(os.path.join(launch["work"], "work", "incompat"))


def mount_fuse(lower: list[str], target: str, launch: dict[str, Any]) -> None:
    """Returns when it is mounted; what serves it ends with the last mount. Without `upper` it can only be read."""
    options = f"lowerdir={':'.join(lower)}"
    if "upper" in launch:
        options += f",upperdir={launch['upper']},workdir={launch['work']},volatile"
    program = launch["fuse"]
    pid = os.posix_spawn(program, [program, "-o", options, target], os.environ, setsigmask=())
    _, status = os.waitpid(pid, 0)
    if status:
        raise OSError(f"fuse-overlayfs ended with {os.waitstatus_to_exitcode(status)}")


def _mount_copy(launch: dict[str, Any], target: str) -> None:
    owners = launch.get("user_namespace", "")
    if owners:
        syscalls.mount_idmapped(launch["upper"], target, owners)
    else:
        syscalls.mount(launch["upper"], target, None, syscalls.MS_BIND)


def mount_volumes(launch: dict[str, Any], target: str) -> None:
    """In a pod with a user namespace, each volume once more, as its users see its owners; the specification names these."""
    for number, source in enumerate(launch.get("volumes", ())):
        path = f"{target}{VOLUME}{number}"
        if os.path.isdir(source):
            os.makedirs(path, exist_ok=True)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        syscalls.mount_idmapped(source, path, launch["user_namespace"])


def mount_images(launch: dict[str, Any], target: str) -> None:
    """Images as volumes, or a part of each: nothing in an image leads out of it."""
    here = os.open(".", os.O_PATH | os.O_DIRECTORY)
    os.chdir(launch["layers_dir"])
    try:
        for number, one in enumerate(launch.get("images", ())):
            path, part = f"{target}{IMAGE}{number}", f"{target}{IMAGE}{number}-part"
            os.makedirs(path, exist_ok=True)
            _mount_layers(one, path, launch)
            if one["sub_path"]:
                _bind_part(path, one["sub_path"], part)
    finally:
        os.fchdir(here)
        os.close(here)


def image_path(target: str, number: int, sub_path: str) -> str:
    return f"{target}{IMAGE}{number}-part" if sub_path else f"{target}{IMAGE}{number}"


def _mount_layers(one: dict[str, Any], path: str, launch: dict[str, Any]) -> None:
    """An overlay that is only read needs two layers at least."""
    lower = one["lower"]
    if len(lower) == 1:
        syscalls.mount(lower[0], path, None, syscalls.MS_BIND)
        return
    if "copy" in one:
        syscalls.mount(one["copy"], path, None, syscalls.MS_BIND)
        return
    if launch.get("snapshotter") == "fuse-overlayfs":
        mount_fuse(lower, path, {"fuse": launch["fuse"]})
        return
    options = f"lowerdir={':'.join(lower)}" + (",userxattr" if launch["userxattr"] else "")
    syscalls.mount("overlay", path, "overlay", syscalls.MS_RDONLY | syscalls.MS_NODEV, options)


def _bind_part(root: str, sub_path: str, target: str) -> None:
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        part = syscalls.open_in_root(folder, sub_path, os.O_PATH)
        try:
            source = f"/proc/self/fd/{part}"
            if os.path.isdir(source):
                os.makedirs(target, exist_ok=True)
            else:
                os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
            syscalls.mount(source, target, None, syscalls.MS_BIND)
        finally:
            os.close(part)
    finally:
        os.close(folder)


def unmount_root(target: str) -> None:
    """With what was mounted for it beside it."""
    parent, name = os.path.split(target)
    _unmount_one(target)
    for other in sorted(os.listdir(parent), reverse=True):  # parts of images before the images
        if other.startswith((name + IDMAPPED, name + VOLUME, name + IMAGE)):
            _unmount_one(os.path.join(parent, other))


def _unmount_one(target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        with contextlib.suppress(OSError):  # EINVAL: not mounted here, an earlier shim did it in its own namespace
            syscalls.unmount(target)
        os.rmdir(target) if os.path.isdir(target) else os.unlink(target)


def start_pause_process() -> int:
    """Fork a process that is PID 1 of a new process namespace and sleeps."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    middle = os.fork()
    if middle == 0:
        _become_pause(writing)
    os.close(writing)
    with open(reading, "rb") as answer:
        pid = int(answer.read() or b"0")
    os.waitpid(middle, 0)
    if pid == 0:
        raise OSError("cannot make a process namespace")
    return pid


def _become_pause(writing: int) -> None:
    try:
        os.setsid()
        syscalls.unshare(syscalls.CLONE_NEWPID)
        pid = os.fork()
        if pid:
            os.write(writing, str(pid).encode())
            os._exit(0)
        shim_namespaces.become_pause()
    finally:
        os._exit(1)
