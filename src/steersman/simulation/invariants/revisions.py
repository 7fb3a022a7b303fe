"""Acknowledged writes are never lost: each revision builds on the one before it, and says in its bytes which one it is."""

from collections.abc import Iterator

from steersman.simulation.history import Change, History


def check(history: History, change: Change) -> Iterator[str]:
    if change.revision < history.revision:
        yield f"revision {change.revision} after {history.revision}"
    mark = b'"metadata":{"resourceVersion":"%d"' % change.revision
    if mark not in change.event.value[:400]:
        yield f"{change.key}: the bytes of revision {change.revision} name another one"
    before, after = change.before, change.after
    if before is not None and after is not None and before["metadata"]["uid"] != after["metadata"]["uid"]:
        yield f"{change.key} became another object without having been deleted"
    if before is not None and after is not None and _generation(after) < _generation(before):
        yield f"{change.key}: generation went back"


def _generation(obj: dict[str, object]) -> int:
    meta = obj["metadata"]
    assert isinstance(meta, dict)
    return int(meta.get("generation") or 0)
