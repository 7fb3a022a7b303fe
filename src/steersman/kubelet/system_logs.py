"""The node's own logs, /logs/ on the kubelet: folders as lists of links, files as they are.

Names cannot lead out of the folder: links in it are followed as if it were the root of everything.
Source: Go's http.FileServer, which upstream's kubelet serves /var/log with.
"""

import asyncio
import html
import os
import stat
import urllib.parse
from collections.abc import AsyncIterator
from pathlib import Path

from steersman.containers import syscalls
from steersman.meta import errors
from steersman.serving.messages import Response

PIECE_BYTES = 1 << 16


async def serve(folder: Path, path: str) -> Response:
    """`path` is below the folder, with a slash at the end where a folder is meant. Raises StatusError."""
    try:
        fd = await asyncio.to_thread(_open, folder, path)
    except OSError as missing:
        raise errors.no_route() from missing
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        return Response(200, {"content-type": "text/plain; charset=utf-8"}, stream=_pieces(fd))
    try:
        if path and not path.endswith("/"):
            return Response(301, {"location": f"{path.rpartition('/')[2]}/"}, b"")
        return Response(200, {"content-type": "text/html; charset=utf-8"}, _listing(fd).encode())
    finally:
        os.close(fd)


def _open(folder: Path, path: str) -> int:
    """Raises OSError, also for what could keep a reader waiting (FIFOs) or is none of its business (devices)."""
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = syscalls.open_in_root(root, path.strip("/") or ".", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(root)
    if not stat.S_ISREG(os.fstat(fd).st_mode) and not stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError("neither a file nor a folder")
    return fd


def _listing(fd: int) -> str:
    names = sorted(f"{one.name}/" if one.is_dir(follow_symlinks=False) else one.name for one in os.scandir(fd))
    links = (f'<a href="{urllib.parse.quote(name)}">{html.escape(name)}</a>\n' for name in names)
    return f'<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n{"".join(links)}</pre>\n'


async def _pieces(fd: int) -> AsyncIterator[bytes]:
    """What the file has by now."""
    try:
        while piece := await asyncio.to_thread(os.read, fd, PIECE_BYTES):
            yield piece
    finally:
        os.close(fd)
