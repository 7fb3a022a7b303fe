"""An image store on disk, shared by processes.

| path | holds |
| --- | --- |
| `images.json` | the images and their names, replaced whole |
| `layers/NAME/` | unpacked layers, moved here when they are complete |
| `holds/OWNER` | the layers a container stands on, as a link that leads nowhere (or, for very many, a file of JSON) |
| `temporary/PROCESS/` | what is being unpacked; emptied by the next process when that one is gone |
| `lock` | held while `images.json` changes |
| `adding` | held shared while layers are there that no image names yet: then none is removed |
"""

import contextlib
import errno
import fcntl
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence

from steersman.containers import scattered, trees

LINK_BYTES_MAX = 4000  # the kernel takes 4095


class Folder:
    def __init__(self, path: str) -> None:
        self.path = path
        self.layers = os.path.join(path, "layers")
        self._holds = os.path.join(path, "holds")
        self._temporary = ""
        self._temporary_lock = -1
        self._seen: tuple[int, int, int] | None = None
        self._raw = b""
        self._counter = 0
        self._counting = threading.Lock()

    def open(self) -> None:
        scattered.make(self.path)
        for folder in (self.layers, self._holds, os.path.join(self.path, "temporary")):
            os.makedirs(folder, exist_ok=True)
        with self.locked():
            self._remove_temporary_of_the_gone()
            self._temporary = tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=os.path.join(self.path, "temporary"))
            self._temporary_lock = os.open(os.path.join(self._temporary, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            fcntl.flock(self._temporary_lock, fcntl.LOCK_EX)

    def close(self) -> None:
        if self._temporary_lock >= 0:
            trees.remove(self._temporary)
            os.close(self._temporary_lock)
            self._temporary_lock = -1

    # images.json

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with _flocked(os.path.join(self.path, "lock"), fcntl.LOCK_EX):
            yield

    def read_if_changed(self) -> bytes | None:
        """None: nothing new since the last read or write."""
        path = os.path.join(self.path, "images.json")
        try:
            if _identity(os.stat(path)) == self._seen:
                return None
            with open(path, "rb") as file:
                self._seen, self._raw = _identity(os.fstat(file.fileno())), file.read()
                return self._raw
        except FileNotFoundError:
            return None

    def write(self, raw: bytes) -> None:
        if raw == self._raw:
            return
        path = os.path.join(self.path, "images.json")
        with open(path + ".new", "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
            self._seen = _identity(os.fstat(file.fileno()))
        os.rename(path + ".new", path)
        self._raw = raw

    # Layers

    def has_layer(self, name: str) -> bool:
        return os.path.isdir(os.path.join(self.layers, name))

    def add_layer(self, temporary: str, name: str) -> None:
        """Another process may have been faster: theirs is as good."""
        try:
            os.rename(temporary, os.path.join(self.layers, name))
        except OSError as refused:
            if refused.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            trees.remove(temporary)

    @contextlib.contextmanager
    def adding(self) -> Iterator[None]:
        with _flocked(os.path.join(self.path, "adding"), fcntl.LOCK_SH):
            yield

    def remove_layers_but(self, used: set[str]) -> None:
        """Nothing while anybody is adding an image: the next change will find them."""
        with (
            contextlib.suppress(BlockingIOError),
            _flocked(os.path.join(self.path, "adding"), fcntl.LOCK_EX | fcntl.LOCK_NB),
        ):
            held = self._held()
            for name in os.listdir(self.layers):
                if name not in used and name not in held:
                    aside = self.temporary_path("unused")
                    os.rename(os.path.join(self.layers, name), aside)
                    trees.remove(aside)

    # Holds

    def hold(self, owner: str, layers: Sequence[str]) -> None:
        """A link is there whole or not at all, and is one system call instead of four."""
        path, text = os.path.join(self._holds, owner), ":".join(layers) or "."
        if len(text) > LINK_BYTES_MAX:
            with open(path, "w") as file:
                json.dump(list(layers), file)
            return
        try:
            os.symlink(text, path)
        except FileExistsError:
            os.unlink(path)
            os.symlink(text, path)

    def release(self, owner: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._holds, owner))

    def release_all_but(self, prefix: str, owners: set[str]) -> None:
        for name in os.listdir(self._holds):
            if name.startswith(prefix) and name not in owners:
                self.release(name)

    def _held(self) -> set[str]:
        return {layer for name in os.listdir(self._holds) for layer in _layers_of(os.path.join(self._holds, name))}

    # Temporary files

    def temporary_path(self, prefix: str) -> str:
        with self._counting:
            self._counter += 1
            return os.path.join(self._temporary, f"{prefix}-{self._counter}")

    def _remove_temporary_of_the_gone(self) -> None:
        """A living process holds the lock in its folder."""
        top = os.path.join(self.path, "temporary")
        for name in os.listdir(top):
            folder = os.path.join(top, name)
            try:
                with _flocked(os.path.join(folder, "lock"), fcntl.LOCK_EX | fcntl.LOCK_NB):
                    trees.remove(folder)
            except (BlockingIOError, FileNotFoundError, NotADirectoryError):
                continue


@contextlib.contextmanager
def _flocked(path: str, how: int) -> Iterator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _layers_of(hold: str) -> list[str]:
    try:
        return os.readlink(hold).split(":")
    except FileNotFoundError:
        return []
    except OSError:  # a file
        # ValueError: just being written, by a container whose image is still there
        with contextlib.suppress(FileNotFoundError, ValueError), open(hold) as file:
            return list(json.load(file))
        return []


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    """Every write makes a new file."""
    return found.st_ino, found.st_mtime_ns, found.st_size
