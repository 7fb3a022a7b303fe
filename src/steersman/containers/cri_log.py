"""The CRI log format: `TIME STREAM TAG TEXT`, one line per record, tag F (full) or P (partial: the line goes on).

Pure. Source: the kubelet's CRI logging design.
"""

import datetime

PARTIAL_BYTES = 16384  # longer lines are cut into partial records of this size, as containerd does


def record(at: datetime.datetime, stream: str, text: bytes, *, full: bool) -> bytes:
    tag = b"F" if full else b"P"
    return b"%s %s %s %s\n" % (timestamp(at), stream.encode(), tag, text)


def records(at: datetime.datetime, stream: str, text: str) -> bytes:
    """A whole text, line by line."""
    return b"".join(record(at, stream, line.encode(), full=True) for line in text.splitlines())


def timestamp(at: datetime.datetime) -> bytes:
    """RFC 3339 with nanoseconds, as in `2026-01-01T00:00:00.000000000Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode()
