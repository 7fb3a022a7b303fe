"""The whole store as a file, taken while it runs."""

import asyncio
import pathlib
import tempfile
from collections.abc import AsyncIterator

from steersman.meta import errors
from steersman.serving import messages
from steersman.store import contract

PIECE_BYTES = 262144


async def answer(store: contract.Store) -> messages.Response:
    """Raises StatusError 501 where the store has no file."""
    if not isinstance(store, contract.BacksUp):
        why = "the cluster's store cannot be copied to a file"
        raise errors.StatusError(errors.status(501, "NotImplemented", why))
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="steersman-backup-")
    try:
        file = pathlib.Path(folder.name) / "store.db"
        await store.backup(file)
        size = file.stat().st_size
    except BaseException:
        folder.cleanup()
        raise
    headers = {"content-type": "application/vnd.sqlite3", "content-length": str(size)}
    return messages.Response(200, headers, stream=_pieces(file, folder))


async def _pieces(file: pathlib.Path, folder: "tempfile.TemporaryDirectory[str]") -> AsyncIterator[bytes]:
    with folder, file.open("rb") as content:
        while piece := await asyncio.to_thread(content.read, PIECE_BYTES):
            yield piece
