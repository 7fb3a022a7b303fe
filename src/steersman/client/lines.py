"""Cut a stream of bytes into lines, however it was cut into pieces on the way."""

from collections.abc import AsyncIterator

# No object is larger than a few MB (the server refuses more than 3 MB): a longer line is not a watch event.
LINE_BYTES_MAX = 16 * 1024 * 1024


async def split(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Whole lines, as many as each piece completes; a last line without an end is not delivered: it was cut off."""
    rest: list[bytes] = []  # of the unfinished line
    waiting = 0
    async for piece in pieces:
        cut = piece.rfind(b"\n")
        if cut < 0:
            rest.append(piece)
            waiting += len(piece)
            if waiting > LINE_BYTES_MAX:
                raise ValueError(f"a line of more than {LINE_BYTES_MAX} bytes")
            continue
        whole = b"".join((*rest, piece[:cut])) if rest else piece[:cut]
        rest = [piece[cut + 1 :]] if cut + 1 < len(piece) else []
        waiting = len(rest[0]) if rest else 0
        found = [line for line in whole.split(b"\n") if line]
        if found:
            yield found
