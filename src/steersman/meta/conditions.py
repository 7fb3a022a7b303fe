"""Conditions of a status: find one, set one.

`lastTransitionTime` moves only when `status` changes: whoever watches can tell how long a condition has held.
"""

import datetime
from collections.abc import Collection, Sequence

from steersman.meta import times
from steersman.meta.objects import Object


def get(obj: Object, type: str) -> Object | None:  # noqa: A002 — the field's own name
    """The condition of this type in `status.conditions`."""
    return find((obj.get("status") or {}).get("conditions") or (), type)


def find(conditions: Sequence[Object], type: str) -> Object | None:  # noqa: A002
    for condition in conditions:
        if condition.get("type") == type:
            return condition
    return None


def status(obj: Object, type: str) -> str:  # noqa: A002
    """`True`, `False`, `Unknown`, or empty where there is no such condition."""
    condition = get(obj, type)
    return str(condition.get("status", "")) if condition else ""


def is_true(obj: Object, type: str) -> bool:  # noqa: A002
    return status(obj, type) == "True"


def is_false(obj: Object, type: str) -> bool:  # noqa: A002
    return status(obj, type) == "False"


def make(type: str, status: str, reason: str = "", message: str = "") -> Object:  # noqa: A002
    """A condition without times, for `set`; empty reason and message are left out."""
    condition = {"type": type, "status": status}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def set(conditions: Sequence[Object], new: Object, now: datetime.datetime) -> list[Object]:  # noqa: A001
    """A new list with `new` in the place of the condition of its type, or at the end."""
    old = find(conditions, new["type"])
    if old is not None and old.get("status") == new["status"] and "lastTransitionTime" in old:
        changed = {**new, "lastTransitionTime": old["lastTransitionTime"]}
    else:
        changed = {**new, "lastTransitionTime": new.get("lastTransitionTime") or times.format_seconds(now)}
    if old is None:
        return [*conditions, changed]
    return [changed if condition is old else condition for condition in conditions]


def set_only(conditions: Sequence[Object], new: Object, types: Collection[str], now: datetime.datetime) -> list[Object]:
    """As `set`, with `new` in the place of all conditions of `types`."""
    kept = [one for one in conditions if one.get("type") not in types or one.get("type") == new["type"]]
    return set(kept, new, now)


def remove(conditions: Sequence[Object], type: str) -> list[Object]:  # noqa: A002
    return [condition for condition in conditions if condition.get("type") != type]
