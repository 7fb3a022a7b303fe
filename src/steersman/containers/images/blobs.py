"""Content by digest: reading compressed streams while checking what they are."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import zlib
from types import TracebackType
from typing import Any, BinaryIO, cast

GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class WrongDigest(ValueError):
    """The content is not what its name says."""


# What reading a document or a compressed stream raises that has another shape than its type says.
MALFORMED = (KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError, EOFError, zlib.error)

_DIGEST = re.compile("sha256:[0-9a-f]{64}")


class UnsupportedCompression(ValueError):
    pass


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def well_formed(found: object) -> str:
    """A digest that an image names, which becomes part of a path. Raises WrongDigest."""
    if not isinstance(found, str) or _DIGEST.fullmatch(found) is None:
        raise WrongDigest(f"invalid checksum digest format: {found!r}")
    return found


def check(data: bytes, expected: str) -> bytes:
    """Raises WrongDigest."""
    found = digest(data)
    if expected.startswith("sha256:") and found != expected:
        raise WrongDigest(f"content has digest {found}, expected {expected}")
    if not expected.startswith("sha256:"):
        raise WrongDigest(f"unsupported digest algorithm in {expected}")
    return data


class HashingReader:
    """A readable stream that knows the digest of what was read from it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        self.size += len(data)
        return data

    def drain(self) -> str:
        """Read to the end; the digest of everything."""
        while self.read(1 << 20):
            pass
        return "sha256:" + self._hash.hexdigest()


class Decompressed:
    """A layer file, decompressed as its first bytes say."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - closed by __exit__
        self._process: subprocess.Popen[bytes] | None = None
        head = self._file.read(4)
        self._file.seek(0)
        self.stream: BinaryIO = self._file
        if head.startswith(GZIP_MAGIC):
            self.stream = cast(BinaryIO, gzip.GzipFile(fileobj=self._file))
        elif head == ZSTD_MAGIC:
            self.stream = self._zstd()

    def __enter__(self) -> BinaryIO:
        return self.stream

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()
        self._file.close()
        if self._process is not None and self._process.wait() not in (0, -13) and kind is None:
            raise UnsupportedCompression(f"zstd ended with {self._process.returncode}")

    def _zstd(self) -> BinaryIO:
        """Python has zstd from 3.14 on; before, the zstd command does it."""
        try:
            from compression import zstd  # type: ignore[import-not-found,unused-ignore]

            return cast(BinaryIO, cast(Any, zstd).ZstdFile(self._file))
        except ImportError:
            pass
        command = shutil.which("zstd")
        if command is None:
            self._file.close()
            raise UnsupportedCompression("the layer is compressed with zstd, and the command zstd is not installed")
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)  # the command gets the descriptor, not what Python read ahead
        self._process = subprocess.Popen([command, "-dc"], stdin=self._file, stdout=subprocess.PIPE)
        return cast(BinaryIO, self._process.stdout)
