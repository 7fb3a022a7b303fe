"""hostPath: a file or folder of the node itself.

`/var/lib/kubelet` is the node's own kubelet's folder, wherever that is: several nodes share this machine, and drivers look for
their kubelet under upstream's name. So are `/var/log/pods` and `/var/log/containers`, where collectors look for logs, also below a
`/var/log` that is the machine's (`beside`).
"""

import contextlib
import dataclasses
import os
import stat
from pathlib import Path

from steersman.containers import runtime
from steersman.kubelet.options import Options
from steersman.kubelet.volumes.volume import Context, MountError
from steersman.meta.objects import Object

REFRESHED = False

KUBELET = Path("/var/lib/kubelet")
LOGS, FOLDERS_OF_LOGS = Path("/var/log"), ("pods", "containers")

_TESTS = {
    "Directory": ("directory", stat.S_ISDIR),
    "File": ("file", stat.S_ISREG),
    "Socket": ("socket file", stat.S_ISSOCK),
    "CharDevice": ("character device", stat.S_ISCHR),
    "BlockDevice": ("block device", stat.S_ISBLK),
}


async def set_up(name: str, source: Object, context: Context) -> Path:
    path, kind = _on_machine(Path(source["path"]), context.options), source.get("type") or ""
    await context.ask(f"hostPath {kind} {path}", lambda: _check(path, kind))
    return path


def _check(path: Path, kind: str) -> None:
    """It is there, and is what it should be; made where it may be."""
    if path == LOGS:
        for folder in FOLDERS_OF_LOGS:  # to mount the node's on
            with contextlib.suppress(OSError):
                (LOGS / folder).mkdir(mode=0o755, exist_ok=True)
    if kind == "DirectoryOrCreate":
        if not path.exists():
            path.mkdir(parents=True, mode=0o755)
        kind = "Directory"
    elif kind == "FileOrCreate":
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        kind = "File"
    if kind:
        word, is_right = _TESTS[kind]
        if not path.exists() or not is_right(path.stat().st_mode):
            raise MountError(f"hostPath type check failed: {path} is not a {word}")
    elif not path.exists():
        path.mkdir(parents=True, mode=0o755)  # as container runtimes do for a missing bind source


def beside(mount: runtime.Mount, options: Options) -> tuple[runtime.Mount, ...]:
    """The node's logs, where the machine's own folder for logs is mounted."""
    if Path(mount.host_path) != LOGS:
        return ()
    return tuple(
        dataclasses.replace(
            mount, container_path=f"{mount.container_path.rstrip('/')}/{folder}", host_path=str(options.logs / folder)
        )
        for folder in FOLDERS_OF_LOGS
        if (LOGS / folder).is_dir()
    )


def _on_machine(path: Path, options: Options) -> Path:
    if path.is_relative_to(KUBELET):
        return options.data_dir / path.relative_to(KUBELET)
    if any(path.is_relative_to(LOGS / folder) for folder in FOLDERS_OF_LOGS):
        return options.logs / path.relative_to(LOGS)
    return path
