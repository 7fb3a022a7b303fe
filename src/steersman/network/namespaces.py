"""Network (IPC, UTS) namespaces that outlive the processes that made them: pinned by a bind mount onto a file.

`unshare` and `setns` change only the calling thread, and a pinned namespace needs no process inside, so a short-lived thread
makes it and a plain file path names it from then on.
"""

import contextlib
import ctypes
import errno
import os
import pathlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

_libc = ctypes.CDLL(None, use_errno=True)

_KINDS = {"net": 0x40000000, "ipc": 0x08000000, "uts": 0x04000000}
_MS_BIND = 4096
_UMOUNT_DETACH = 2

OWN = "/proc/thread-self/ns/net"

Answer = TypeVar("Answer")


def pin(paths: Mapping[str, str], hostname: str = "") -> None:
    """Make new namespaces, one per kind (`net`, `ipc`, `uts`), and pin each at its path.

    A path where one is already pinned must be removed first. On failure nothing stays behind.
    """
    flags = 0
    for kind in paths:
        flags |= _KINDS[kind]
    in_thread(lambda: _unshare_and_pin(flags, paths, hostname))


def is_pinned(path: str) -> bool:
    """Whether a network namespace is pinned at `path` (a plain file may be left over from before a reboot)."""
    try:
        return pathlib.Path(path).stat().st_dev == pathlib.Path(OWN).stat().st_dev
    except FileNotFoundError:
        return False


def unpin(path: str) -> None:
    """Let the namespace go: it ends when no process and no open descriptor holds it. Succeeds when there is none."""
    while _libc.umount2(os.fsencode(path), _UMOUNT_DETACH) == 0:
        pass  # pinned twice is unpinned twice
    if ctypes.get_errno() not in (errno.EINVAL, errno.ENOENT):
        raise _failure(f"unmount {path}")
    pathlib.Path(path).unlink(missing_ok=True)


@contextlib.contextmanager
def entered(path: str) -> Iterator[None]:
    """The calling thread is inside the network namespace at `path`: no `await` in the block."""
    home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set_network_namespace(path)
        try:
            yield
        finally:
            if _libc.setns(home, _KINDS["net"]) != 0:
                os.abort()  # a thread left in a stranger's namespace would do damage with everything it does next
    finally:
        os.close(home)


def open_socket(namespace: str | None, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket belongs to the namespace it is opened in, for ever: so only opening it needs the visit."""
    if namespace is None:
        return socket.socket(family, kind, protocol)
    with entered(namespace):
        return socket.socket(family, kind, protocol)


def write_sysctl(name: str, value: str) -> None:
    """In the calling thread's network namespace; `name` as in `net/ipv4/ip_forward`. Writes only what differs, so that a
    read-only /proc/sys does no harm where the value is right already."""
    path = pathlib.Path("/proc/sys", name)
    if path.read_text().strip() != value:
        path.write_text(value)


def in_thread(work: Callable[[], Answer]) -> Answer:
    """Run `work` in a thread of its own, whose namespaces die with it."""
    answers: list[Answer] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return answers[0]


def _unshare_and_pin(flags: int, paths: Mapping[str, str], hostname: str) -> None:
    if _libc.unshare(flags) != 0:
        raise _failure("unshare")
    if hostname and _libc.sethostname(hostname.encode(), len(hostname.encode())) != 0:
        raise _failure("sethostname")
    done: list[str] = []
    try:
        for kind, path in paths.items():
            os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
            done.append(path)
            source = f"/proc/thread-self/ns/{kind}"
            if _libc.mount(source.encode(), os.fsencode(path), None, _MS_BIND, None) != 0:
                raise _failure(f"bind mount {path}")
    except BaseException:
        for path in done:
            unpin(path)
        raise


def _set_network_namespace(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, _KINDS["net"]) != 0:
            raise _failure(f"enter network namespace {path}")
    finally:
        os.close(descriptor)


def _failure(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")
