"""The folder of static pods: what its files ask for now. Reads files again only when they have changed."""

import logging
from pathlib import Path

from steersman.aio.clock import Clock
from steersman.kubelet import static_pods
from steersman.meta import objects, times
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# A manifest is written by hand; more is not one.
FILE_MOST_BYTES = 1 << 20

_Identity = tuple[int, int, int]


class StaticPodFolder:
    def __init__(self, folder: Path, node_name: str, clock: Clock) -> None:
        self.folder = folder
        self._node_name = node_name
        self._clock = clock
        self._known: dict[str, tuple[_Identity, Object | None]] = {}
        self._gone: set[str] = set()

    def is_gone(self, name: str) -> None:
        """This file was taken away, though another one may be there by now."""
        _, pod = self._known.pop(name, (None, None))
        if pod is not None:
            self._gone.add(objects.uid(pod))

    def take_gone(self) -> set[str]:
        """The pods (by uid) whose files went since this was asked last."""
        gone, self._gone = self._gone, set()
        return gone

    def look(self) -> dict[str, Object]:
        """The wanted pods by uid; a file that cannot be read or understood asks for none, and the log says why, once."""
        known: dict[str, tuple[_Identity, Object | None]] = {}
        for path in self._files():
            try:
                found = path.stat()
                identity = (found.st_ino, found.st_mtime_ns, found.st_size)
                before = self._known.get(path.name)
                known[path.name] = (
                    before if before is not None and before[0] == identity else (identity, self._read(path))
                )
            except FileNotFoundError:
                continue
        self._known = known
        return {objects.uid(pod): pod for _, pod in known.values() if pod is not None}

    def _files(self) -> list[Path]:
        try:
            found = sorted(self.folder.iterdir())
        except FileNotFoundError:
            return []
        return [path for path in found if not path.name.startswith(".") and path.is_file()]

    def _read(self, path: Path) -> Object | None:
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(FILE_MOST_BYTES)
            return static_pods.read(text, str(path), self._node_name, times.format_micros(self._clock.now()))
        except (static_pods.Invalid, OSError, UnicodeDecodeError) as wrong:
            _log.warning("static pod %s: %s", path, wrong)
            return None
