"""hostPath: a file or folder of the node itself.

`/var/lib/kubelet` is the node's own kubelet's folder, wherever that is: several nodes share this machine, and drivers look for
their kubelet under upstream's name.
"""

import os
import stat
from pathlib import Path

from steersman.kubelet.volumes.volume import Context, MountError
from steersman.meta.objects import Object

REFRESHED = False

KUBELET = Path("/var/lib/kubelet")

_TESTS = {
    "Directory": ("directory", stat.S_ISDIR),
    "File": ("file", stat.S_ISREG),
    "Socket": ("socket file", stat.S_ISSOCK),
    "CharDevice": ("character device", stat.S_ISCHR),
    "BlockDevice": ("block device", stat.S_ISBLK),
}


async def set_up(name: str, source: Object, context: Context) -> Path:
    path, kind = _on_machine(Path(source["path"]), context.options.data_dir), source.get("type") or ""
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
    return path


def _on_machine(path: Path, kubelet_dir: Path) -> Path:
    return kubelet_dir / path.relative_to(KUBELET) if path.is_relative_to(KUBELET) else path
