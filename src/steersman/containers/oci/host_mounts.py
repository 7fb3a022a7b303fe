"""Mounts in the host's namespace: folders through which mounts flow between the kubelet, the shim and the containers."""

import contextlib
import os

from steersman.containers import syscalls

IN_MEMORY_SIZE = "128m"  # some 40 kB for each container


def ensure_shared(folder: str) -> None:
    """Make mounts below `folder` visible in namespaces that were copied from this one. Idempotent."""
    os.makedirs(folder, exist_ok=True)
    if not is_shared(_mountinfo(), os.path.realpath(folder)):
        ensure_mount_point(folder)
        syscalls.mount("none", folder, None, syscalls.MS_SHARED)


def ensure_in_memory(folder: str) -> None:
    """A small file system in memory, where there is none yet: what stands there is for one boot, and many small files are slow
    on a busy disk. Without the right to mount, the disk it is."""
    os.makedirs(folder, exist_ok=True)
    real = os.path.realpath(folder)
    if is_mount_point(_mountinfo(), real) or _file_system_of(_mountinfo(), real) == "tmpfs":
        return
    with contextlib.suppress(PermissionError):
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("steersman", folder, "tmpfs", flags, f"mode=0755,size={IN_MEMORY_SIZE}")


def _file_system_of(mountinfo: str, path: str) -> str:
    kind, longest = "", -1
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        point = fields[4]
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= longest:
            kind, longest = fields[fields.index("-") + 1], len(point)
    return kind


def ensure_mount_point(folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    if not is_mount_point(_mountinfo(), os.path.realpath(folder)):
        syscalls.mount(folder, folder, None, syscalls.MS_BIND)


def is_shared(mountinfo: str, path: str) -> bool:
    """Whether the mount that holds `path` shares its mounts with copies of this namespace."""
    return any(field.startswith("shared:") for field in _holder(mountinfo, path)[1])


def propagation_complaint(path: str, propagation: str, mountinfo: str = "") -> str:
    """Why mounts at `path` could not reach a container or come from it, in containerd's words; empty when they can."""
    point, fields = _holder(mountinfo or _mountinfo(), path if mountinfo else os.path.realpath(path))
    ways = {"rshared": ("shared:",), "rslave": ("shared:", "master:")}[propagation]
    if any(field.startswith(ways) for field in fields):
        return ""
    what = "shared" if propagation == "rshared" else "shared or slave"
    return f'path "{path}" is mounted on "{point}" but it is not a {what} mount'


def _holder(mountinfo: str, path: str) -> tuple[str, list[str]]:
    """Of the mount that holds `path`: its point and its optional fields."""
    found: tuple[str, list[str]] = ("", [])
    for point, fields in _points(mountinfo):
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found[0]):
            found = point, fields
    return found


def is_mount_point(mountinfo: str, path: str) -> bool:
    return any(point == path for point, _ in _points(mountinfo))


def unmount_below(folder: str) -> None:
    """Unmount everything at and below `folder`, innermost first."""
    real = os.path.realpath(folder)
    found = [p for p, _ in _points(_mountinfo()) if p == real or p.startswith(real + "/")]
    for point in reversed(found):
        with contextlib.suppress(FileNotFoundError):
            syscalls.unmount(point)


def _points(mountinfo: str) -> list[tuple[str, list[str]]]:
    """(mount point, optional fields), in order of mounting."""
    found = []
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        point = fields[4].encode().decode("unicode_escape") if "\\" in fields[4] else fields[4]
        found.append((point, fields[6 : fields.index("-")]))
    return found


def _mountinfo() -> str:
    with open("/proc/self/mountinfo") as file:
        return file.read()
