"""The mounts of a container that the shim makes: taken from the node as descriptors, put together where nothing is mounted.

Calls are a thread's that has its own descriptors, working directory and, for all but `take`, the empty namespace. It closes all
of its descriptors at once, before paths of the container's own are followed (`quick_start`). Small imports.
"""

import contextlib
import os
import signal
import stat
from typing import Any

from steersman.containers import mount_trees, syscalls
from steersman.containers.oci import cgroups, shim_mounts

_PROC, _ROOT = "proc", "root"  # all that there is in the empty namespace
_DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("tty", 5, 0), ("random", 1, 8), ("urandom", 1, 9))
_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
)


def take(launch: dict[str, Any], at: str, groups: dict[str, int]) -> tuple[int, dict[str, int]]:
    """The root filesystem, and by its target everything that is mounted elsewhere already. `at`: where it may stand meanwhile."""
    plan = launch["plan"]
    root = shim_mounts.make_overlay(launch)
    needs_place = root < 0 or bool(launch["images"])
    try:
        if root < 0:
            shim_mounts.mount_root(launch, at)
            root = mount_trees.clone(at)
            mount_trees.make_private(root)
        if launch["images"]:
            shim_mounts.mount_images(launch, at)
        trees = {
            one["target"]: _taken(one["source"], one["recursive"]) for one in plan["mounts"] if one["type"] == "bind"
        }
    finally:
        if needs_place:
            shim_mounts.unmount_root(at)
    for mount, group in groups.items():
        trees[mount] = mount_trees.clone("", at=group)
    return root, trees


def _taken(source: str, recursive: bool) -> int:
    tree = mount_trees.clone(source, recursive=recursive)
    if recursive and stat.S_ISDIR(os.fstat(tree).st_mode):
        mount_trees.make_private(tree)  # with what is mounted below; what is a file has nothing below
    return tree


def put_together(
    hierarchy: cgroups.Hierarchy, plan: dict[str, Any], tree: int, trees: dict[str, int]
) -> tuple[int, int]:
    """The container's root and its null device, as descriptors. All but /proc is there."""
    mount_trees.set_attributes(tree, mount_trees.RDONLY if plan["read_only_root"] else 0, mount_trees.ACCESS)
    place = os.open("/" + _ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mount_trees.move(tree, place)
    root = os.open("/" + _ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    null = -1
    for one in plan["mounts"]:
        target = one["target"]
        if one["type"] == "bind":
            _bind(root, target, trees[target], one["attributes"])
        elif one["type"] == "cgroup":
            _mount_groups(hierarchy, root, one, trees)
        elif one["type"] != "proc":
            _mount(root, one)
        if target == "dev":
            null = _make_devices(root)
    return root, null


def _bind(root: int, path: str, tree: int, attributes: int, *, is_folder: bool | None = None) -> None:
    mount_trees.set_attributes(tree, attributes, mount_trees.ACCESS, private=True)
    if is_folder is None:
        is_folder = stat.S_ISDIR(os.fstat(tree).st_mode)
    mount_trees.move(tree, _target(root, path, is_folder=is_folder))


def _mount(root: int, one: dict[str, Any]) -> None:
    _refuse_link(root, one["target"])
    _mount_onto(_target(root, one["target"], is_folder=True), one["type"], one["source"], one["flags"], one["data"])
    if one["attributes"] & mount_trees.RDONLY:
        mount_trees.set_attributes(_open(root, one["target"]), mount_trees.RDONLY)


def _mount_onto(target: int, kind: str, source: str, flags: int, data: str) -> None:
    """By the thread's working directory: a path through /proc would cost as much as the mount."""
    os.fchdir(target)
    syscalls.mount(source, ".", kind, flags, data)


def _mount_groups(hierarchy: cgroups.Hierarchy, root: int, one: dict[str, Any], trees: dict[str, int]) -> None:
    """Of each hierarchy the container's own group, by the names that they have on the node."""
    target = _target(root, one["target"], is_folder=True)
    _mount_onto(target, "tmpfs", "cgroup", one["flags"], "size=1024k,mode=755")
    folder = _open(root, one["target"])
    for mount in hierarchy.roots:
        os.mkdir(os.path.basename(mount), 0o755, dir_fd=folder)
        _bind(folder, os.path.basename(mount), trees[mount], one["attributes"], is_folder=True)
    for controller, mount in hierarchy.mounts.items():
        if "=" not in controller and controller != os.path.basename(mount):
            os.symlink(os.path.basename(mount), controller, dir_fd=folder)
    mount_trees.set_attributes(folder, one["attributes"])


def _make_devices(root: int) -> int:
    """`null`, as a descriptor."""
    folder = _open(root, "dev")
    for name, major, minor in _DEVICES:
        os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(major, minor), dir_fd=folder)
    for name, to in _LINKS:
        os.symlink(to, name, dir_fd=folder)
    return syscalls.open_in_root(folder, "null", os.O_RDWR)


def _hide(root: int, paths: list[str], null: int) -> None:
    """Folders behind an empty one, files behind the null device; what is not there needs nothing."""
    empty = -1
    for path in paths:
        try:
            target = _open(root, path)
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(os.fstat(target).st_mode):
            _put(mount_trees.clone("", at=null), target)
        elif empty < 0:
            _mount_onto(target, "tmpfs", "tmpfs", syscalls.MS_RDONLY, "size=0k")
            empty = _open(root, path)
        else:
            _put(mount_trees.clone("", at=empty), target)


def _make_read_only(root: int, path: str) -> None:
    try:
        target = _open(root, path)
    except FileNotFoundError:
        return
    _put(mount_trees.clone("", at=target, recursive=True), target)


def _put(tree: int, target: int) -> None:
    """Where it can only be read."""
    mount_trees.set_attributes(tree, mount_trees.RDONLY)
    mount_trees.move(tree, target)


def _open(root: int, path: str) -> int:
    return syscalls.open_in_root(root, path.lstrip("/"), os.O_PATH)


def _target(root: int, path: str, *, is_folder: bool) -> int:
    """What to mount onto; made where the root filesystem has nothing there."""
    try:
        return _open(root, path)
    except FileNotFoundError:
        parent, _, name = path.rpartition("/")
        folder = _target(root, parent, is_folder=True) if parent else root
        if is_folder:
            os.mkdir(name, 0o755, dir_fd=folder)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o700, dir_fd=folder))
        return _open(root, path)


def _refuse_link(root: int, path: str) -> None:
    """File systems of the kernel go onto folders only. Where /proc of an image is a link into a volume, another container of the
    pod may move what it leads to, and what is hidden and made read-only afterwards is so somewhere else (CVE-2019-19921)."""
    with contextlib.suppress(FileNotFoundError):
        syscalls.open_beneath(root, path, os.O_PATH | os.O_DIRECTORY, other_mounts=True)


def enter(root: int) -> None:
    """What was the root lies on the new one for a moment (pivot_root(2): "pivot_root(., .)")."""
    os.fchdir(root)
    syscalls.pivot_root()
    syscalls.unmount(".", syscalls.MNT_DETACH)
    os.chdir("/")


def empty_namespace(at: str) -> int:
    """A mount namespace with a root to stand on, an empty folder, and the node's processes, which descriptors are reached by."""
    done, told = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.unshare(syscalls.CLONE_NEWNS)
            syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
            syscalls.mount("tmpfs", at, "tmpfs", 0, "size=0k,mode=755")
            for name in (_PROC, _ROOT):
                os.mkdir(os.path.join(at, name))
            syscalls.mount("/proc", os.path.join(at, _PROC), None, syscalls.MS_BIND)
            os.chdir(at)
            syscalls.pivot_root()
            syscalls.unmount(".", syscalls.MNT_DETACH)
            os.write(told, b"+")
            signal.pause()
        finally:
            os._exit(1)
    os.close(told)
    try:
        with open(done, "rb") as answer:
            if answer.read(1) != b"+":
                raise OSError("cannot make an empty mount namespace")
            return os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def add_processes(root: int, null: int, context: int, plan: dict[str, Any]) -> None:
    """/proc, as the container's first process has asked for it, and what is hidden there and elsewhere."""
    for one in plan["mounts"]:
        if one["type"] == "proc":
            _refuse_link(root, one["target"])
            tree = mount_trees.create(context, one["attributes"])
            target = _target(root, one["target"], is_folder=True)
            mount_trees.move(tree, target)
    _hide(root, plan["hidden"], null)
    for path in plan["read_only"]:
        _make_read_only(root, path)
