"""A copy of crun in memory that nobody can change, from which it is started.

crun and runc protect their own file from containers (CVE-2019-5736): unless they find themselves in a sealed memory file, each
start mounts a read-only copy of the file and executes itself once more, which costs as much as half of a start. Here the copy
is made once. Small imports only: the shim uses this.
"""

import contextlib
import fcntl
import os

BYTES_MAX = 2 << 20  # crun has 0.5 MB; runc's 10 MB would stay in memory for each node
MFD_EXEC = 0x10  # Linux 6.3: where the machine's default is a memory file that cannot be executed
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Program:
    """`path` is what to execute: the sealed copy, anew when the file has changed (an upgrade), or the file itself."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._copy = -1
        self._seen: tuple[int, int, int] | None = None

    @property
    def path(self) -> str:
        """In the child of a fork too: its descriptors are closed by the exec itself."""
        found = os.stat(self._file)
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._close()
            self._seen = seen
            if found.st_size <= BYTES_MAX:
                with contextlib.suppress(OSError):  # a kernel or a machine that has no such files
                    self._copy = _sealed_copy(self._file)
        return f"/proc/self/fd/{self._copy}" if self._copy >= 0 else self._file

    def _close(self) -> None:
        if self._copy >= 0:
            os.close(self._copy)
            self._copy = -1


def _sealed_copy(file: str) -> int:
    copy = _memory_file(os.path.basename(file))
    try:
        with open(file, "rb") as source, open(copy, "wb", closefd=False) as target:
            target.write(source.read())
        fcntl.fcntl(copy, fcntl.F_ADD_SEALS, SEALS)
        if fcntl.fcntl(copy, fcntl.F_GET_SEALS) != SEALS:
            raise OSError(f"{file}: it would not know its copy for sealed")
    except BaseException:
        os.close(copy)
        raise
    return copy


def _memory_file(name: str) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(name, flags | MFD_EXEC)
    except OSError:  # an older kernel does not know the flag, and needs none
        return os.memfd_create(name, flags)
