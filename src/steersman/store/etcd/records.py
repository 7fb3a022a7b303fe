"""How objects and causes stand in etcd. Pure.

An object's value ends up as head + revision + tail, but etcd gives the revision only to the transaction as a whole. So what is
stored is the length of the head in decimal, a line feed, the head and the tail: `etcdctl get` shows JSON with an empty
resourceVersion, and reading it back is a join.

The cause of a transaction is one key that every transaction writes: its newest revision is the newest revision of all of ours,
and with it travels what only a deletion's watchers want to know, the last state of what it removed.
"""

from collections.abc import Sequence

import msgspec

from steersman.store.contract import Cause, Delete, Put


class CauseRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """`last` holds the records of what the transaction deleted, by key."""

    who: str = ""
    verb: str = ""
    because: int = 0
    at: str = ""
    last: dict[str, bytes] = {}


_decode_cause = msgspec.json.Decoder(CauseRecord).decode


def of_object(operation: Put | Delete) -> bytes:
    return b"%d\n%b%b" % (len(operation.head), operation.head, operation.tail)


def head_length(record: bytes) -> int:
    """Where in the value the revision stands. Raises ValueError where `record` is none of ours."""
    return int(record[: record.index(b"\n")])


def value_at(record: bytes, revision: int) -> bytes:
    """The value clients receive. Raises ValueError where `record` is none of ours."""
    start = record.index(b"\n") + 1
    end = start + int(record[: start - 1])
    return b"%b%d%b" % (record[start:end], revision, record[end:])


def of_cause(cause: Cause, operations: Sequence[Put | Delete]) -> bytes:
    last = {operation.key: of_object(operation) for operation in operations if isinstance(operation, Delete)}
    return msgspec.json.encode(CauseRecord(cause.who, cause.verb, cause.because, cause.at, last))


def read_cause(record: bytes) -> CauseRecord:
    """Raises ValueError (msgspec.DecodeError) where `record` is none of ours."""
    return _decode_cause(record)
