"""What changed from one state of an object to the next, in words. Pure.

Items of lists are told apart by what names them, conditions and states of containers are told in short, and what changes with
every write (versions, heartbeats, who owns which field) is left out.
"""

import json
from collections.abc import Iterator
from typing import Any

from steersman.meta.objects import Object

NOTHING = "(none)"
VALUE_CHARACTERS_MAX = 80
_UNSAID = frozenset((
    *("metadata.resourceVersion", "metadata.managedFields", "metadata.generation", "metadata.selfLink"),
    *("status.observedGeneration", "kind", "apiVersion"),
    *("status.hostIPs", "status.podIPs", "status.startTime"),  # said by others
))  # fmt: skip
_UNSAID_OF_CONTAINERS = ("imageID", "containerID", "resources", "allocatedResources", "user", "volumeMounts")
_NAMING = ("type", "name", "ip", "uid", "key")


def told(before: Object | None, after: Object | None) -> list[str]:
    """A line for each field, `path: old → new`; what is new altogether is not told field by field."""
    if before is None or after is None:
        return []
    secret = after.get("kind") == "Secret"
    return [_line(path, old, new, secret=secret) for path, old, new in _changes("", before, after)]


def _changes(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old == new or path in _UNSAID or _is_detail_of_container(path):
        return
    if isinstance(old, dict) and isinstance(new, dict) and not _is_told_whole(path, new):
        for name in dict.fromkeys((*old, *new)):
            yield from _changes(f"{path}.{name}" if path else name, old.get(name), new.get(name))
        return
    if isinstance(old, list | None) and isinstance(new, list | None):
        olds, news = _by_name(old or []), _by_name(new or [])
        if olds is not None and news is not None:
            for name in dict.fromkeys((*olds, *news)):
                yield from _changes(f"{path}[{name}]", olds.get(name), news.get(name))
            return
    if _words(old) != _words(new):
        yield path, old, new


def _is_detail_of_container(path: str) -> bool:
    return "ontainerStatuses[" in path and path.endswith(_UNSAID_OF_CONTAINERS)


def _is_told_whole(path: str, new: Object) -> bool:
    return _is_condition(new) or path.endswith((".state", ".lastState"))


def _is_condition(value: Any) -> bool:
    return isinstance(value, dict) and "type" in value and "status" in value


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """By the first field that tells all of them apart; None when nothing does."""
    if not all(isinstance(one, dict) for one in items):
        return None
    for field in _NAMING:
        names = [one.get(field) for one in items]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return dict(zip(names, items, strict=True))
    return None


def _line(path: str, old: Any, new: Any, *, secret: bool) -> str:
    if secret and path.startswith(("data.", "stringData.")):
        return f"{path}: {'added' if old is None else 'removed' if new is None else 'changed'}"
    return f"{path}: {_words(old)} → {_words(new)}"


def _words(value: Any) -> str:
    if value is None:
        return NOTHING
    if _is_condition(value):
        return _condition(value)
    if isinstance(value, dict):
        state = _state(value.get("state") or value)
        if state:
            return state
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 1] + "…"


def _condition(value: Object) -> str:
    about = ": ".join(filter(None, (value.get("reason"), value.get("message"))))
    return f"{value['status']} ({about})" if about else str(value["status"])


def _state(value: Object) -> str:
    """Of a container, in short; "" for what is none."""
    name, about = next(iter(value.items()), ("", None))
    if len(value) != 1 or name not in ("waiting", "running", "terminated") or not isinstance(about, dict):
        return ""
    told = [about["reason"]] if about.get("reason") else []
    if name == "terminated":
        told.append(f"exit code {about.get('exitCode', 0)}")
    return f"{name} ({', '.join(told)})" if told else name
