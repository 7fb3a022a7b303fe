"""Large answers as gzip, for clients that take it. Source: upstream's APIResponseCompression."""

import zlib
from collections.abc import AsyncIterator

from steersman.serving import messages

MIN_BYTES = 128 * 1024  # upstream's: smaller answers cost more than they save on a fast network
_LEVEL = 1  # upstream's: most of the saving for a fraction of the time
_GZIP = zlib.MAX_WBITS | 16


def is_wanted(request: messages.Request) -> bool:
    """Only reads are compressed, and `gzip;q=0` is a no."""
    accepted = request.headers.get("accept-encoding", "")
    if "gzip" not in accepted or request.method not in ("GET", "HEAD"):
        return False
    return any(_takes_gzip(one) for one in accepted.split(","))


def compress(response: messages.Response) -> None:
    """In place, where it is worth it. Endless streams, which say no length, are left alone: each event must leave at once."""
    if response.status != 200 or response.upgrade is not None or "content-encoding" in response.headers:
        return
    if response.stream is not None:
        if int(response.headers.get("content-length", "0")) < MIN_BYTES:
            return
        del response.headers["content-length"]
        response.stream = _pieces(response.stream)
    elif len(response.body) < MIN_BYTES:
        return
    else:
        response.body = _compressed(response.body)
    response.headers["content-encoding"] = "gzip"
    vary = response.headers.get("vary")
    response.headers["vary"] = f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"


def _takes_gzip(coding: str) -> bool:
    name, _, weight = coding.strip().partition(";")
    return name.strip() == "gzip" and weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")


def _compressed(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return packer.compress(body) + packer.flush()


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    async for piece in stream:
        packed = packer.compress(piece)
        if packed:
            yield packed
    yield packer.flush()
