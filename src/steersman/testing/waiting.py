"""Wait until an object is as wished, and say what was seen instead when it never is.

A wish is a condition type (`Available`, `Ready`), a phase (`Running`, `Succeeded`), `Deleted`, `Exists`, or a function of
the object.
"""

import contextlib
from collections.abc import Callable

import orjson

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.client.client import Client
from steersman.meta import conditions, objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

Wish = str | Callable[[Object], bool]

_PHASES = frozenset({"Pending", "Running", "Succeeded", "Failed", "Active", "Terminating", "Bound"})
_EVENTS_SHOWN = 10


class NotSeen(AssertionError):
    """The object was not as wished in time."""


async def wait(
    client: Client, clock: Clock, kind: Kind, name: str, namespace: str, wish: Wish, timeout_seconds: float
) -> Object | None:
    """The object as it then is; None once it is deleted. Raises NotSeen."""
    last: list[Object | None] = [None]
    try:
        async with clock.timeout(timeout_seconds):
            return await _wait(client, kind, name, namespace, wish, last)
    except TimeoutError:
        text = await _what_was_seen(client, kind, name, namespace, last[0])
        wished = wish if isinstance(wish, str) else getattr(wish, "__name__", "as wished")
        raise NotSeen(f"{kind.singular}/{name} was not {wished} within {timeout_seconds:g} s\n{text}") from None


def is_fulfilled(obj: Object | None, wish: Wish) -> bool:
    if wish == "Deleted":
        return obj is None
    if obj is None:
        return False
    if callable(wish):
        return bool(wish(obj))
    if wish == "Exists":
        return True
    status = obj.get("status") or {}
    if wish in _PHASES and "phase" in status:
        return bool(status["phase"] == wish)
    return _is_observed(obj) and conditions.is_true(obj, wish)


def _is_observed(obj: Object) -> bool:
    """Conditions of an older generation say nothing about this one."""
    observed = (obj.get("status") or {}).get("observedGeneration")
    return observed is None or observed >= obj["metadata"].get("generation", 0)


async def _wait(
    client: Client, kind: Kind, name: str, namespace: str, wish: Wish, last: list[Object | None]
) -> Object | None:
    selector = f"metadata.name={name}"
    while True:
        page = await client.list(kind, namespace, field_selector=selector)
        last[0] = page.items[0] if page.items else None
        if is_fulfilled(last[0], wish):
            return last[0]
        events = client.watch(kind, namespace, resource_version=page.resource_version, field_selector=selector)
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    if event.type == "BOOKMARK":
                        continue
                    last[0] = None if event.type == "DELETED" else event.object
                    if is_fulfilled(last[0], wish):
                        return last[0]
        except StatusError as refused:
            if refused.code != 410:
                raise


async def _what_was_seen(client: Client, kind: Kind, name: str, namespace: str, last: Object | None) -> str:
    found = await client.list(kinds.EVENT, namespace, field_selector=f"involvedObject.name={name}")
    about = sorted((event for event in found.items if _is_about(event, kind)), key=_when)
    lines = [f"  {event.get('type')} {event.get('reason')}: {event.get('message')}" for event in about[-_EVENTS_SHOWN:]]
    events = "\n".join(["events:", *lines]) if lines else "events: none"
    if last is None:
        return f"it does not exist\n{events}"
    status = orjson.dumps(last.get("status") or {}, option=orjson.OPT_INDENT_2).decode()
    deleted = " (being deleted)" if objects.is_terminating(last) else ""
    return f"last seen{deleted}, status:\n{status}\n{events}"


def _is_about(event: Object, kind: Kind) -> bool:
    return bool((event.get("involvedObject") or {}).get("kind") == kind.kind)


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
