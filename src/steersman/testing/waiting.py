"""Wait until an object is as wished, and say what was seen instead when it never is.

A wish is a condition type (`Available`, `Ready`), a phase (`Running`, `Succeeded`), `Deleted`, `Exists`, or a function of
the object; one that finds a field missing (KeyError, IndexError, TypeError) is not fulfilled yet.
"""

import contextlib
from collections.abc import Callable

from steersman.aio.clock import Clock
from steersman.api.kind import Kind
from steersman.client.client import Client
from steersman.meta import conditions
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.testing import not_seen

Wish = str | Callable[[Object], bool]

_PHASES = frozenset({"Pending", "Running", "Succeeded", "Failed", "Active", "Terminating", "Bound"})


class NotSeen(AssertionError):
    """The object was not as wished in time."""


async def wait(
    client: Client, clock: Clock, kind: Kind, name: str, namespace: str, wish: Wish, timeout_seconds: float
) -> Object | None:
    """The object as it then is; None once it is deleted. Raises NotSeen."""
    seen = _Seen(wish)
    try:
        async with clock.timeout(timeout_seconds):
            return await _wait(client, kind, name, namespace, seen)
    except TimeoutError:
        text = await not_seen.describe(client, kind, name, namespace, seen.last)
        wished = wish if isinstance(wish, str) else getattr(wish, "__name__", "as wished")
        raise NotSeen(
            f"{kind.singular}/{name} was not {wished} within {timeout_seconds:g} s{seen.why()}\n{text}"
        ) from None


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


class _Seen:
    """The object as it was last, and why it is not as wished."""

    def __init__(self, wish: Wish) -> None:
        self.last: Object | None = None
        self._wish = wish
        self._missing: Exception | None = None

    def fulfils(self, obj: Object | None) -> bool:
        self.last, self._missing = obj, None
        try:
            return is_fulfilled(obj, self._wish)
        except (LookupError, TypeError) as missing:
            self._missing = missing
            return False

    def why(self) -> str:
        return f" (the wish raised {self._missing!r})" if self._missing is not None else ""


async def _wait(client: Client, kind: Kind, name: str, namespace: str, seen: _Seen) -> Object | None:
    selector = f"metadata.name={name}"
    while True:
        page = await client.list(kind, namespace, field_selector=selector)
        if seen.fulfils(page.items[0] if page.items else None):
            return seen.last
        events = client.watch(kind, namespace, resource_version=page.resource_version, field_selector=selector)
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    if event.type == "BOOKMARK":
                        continue
                    if seen.fulfils(None if event.type == "DELETED" else event.object):
                        return seen.last
        except StatusError as refused:
            if refused.code != 410:
                raise
