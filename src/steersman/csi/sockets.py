"""Addresses of sockets whose paths are too long for the kernel (107 bytes): by way of a descriptor of their folder."""

import os
from pathlib import Path

PATH_MAX_BYTES = 100  # gRPC adds some of its own


class Address:
    """`text` is gRPC's form of it, good until `close`."""

    def __init__(self, path: Path) -> None:
        self._folder: int | None = None
        text = str(path)
        if len(os.fsencode(text)) > PATH_MAX_BYTES:
            self._folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            text = f"/proc/self/fd/{self._folder}/{path.name}"
        self.text = f"unix:{text}"

    def close(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
