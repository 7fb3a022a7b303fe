"""What happens to objects on the server, as it happens: once through, or again and again until something is true."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping

import orjson

from steersman.client import lines
from steersman.client.http_connection import Unreachable
from steersman.kubectl.call import Call
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

TIMED_OUT = "timed out waiting for the condition"
# Between a watch that has ended and the next.
PAUSE_SECONDS = 1.0
GONE = 410

Query = Mapping[str, str]


async def events(call: Call, path: str, query: Query) -> AsyncGenerator[tuple[str, Object], None]:
    """(ADDED, MODIFIED or DELETED; object) until the server ends the watch. Leave it with `contextlib.aclosing`.

    Raises StatusError, also for what the server says in the middle of it."""
    async with contextlib.aclosing(call.stream(path, {**query, "watch": "true"})) as pieces:
        async for batch in lines.split(pieces):
            for line in batch:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise StatusError(event["object"])
                yield event["type"], event["object"]


async def one(call: Call, path: str, name: str) -> AsyncGenerator[tuple[str, Object], None]:
    """An object of a collection as it is, then each change of it, for ever: watches that end are begun again.

    An object that is the same after a new beginning is not told again. Leave it with `contextlib.aclosing`."""
    query = {"fieldSelector": f"metadata.name={name}"}
    last = ""
    while True:
        listed = await call.ask("GET", path, query)
        for item in listed.get("items") or []:
            if item["metadata"]["resourceVersion"] != last:
                last = item["metadata"]["resourceVersion"]
                yield "MODIFIED", _typed(item, listed)
        if last and not listed.get("items"):
            yield "DELETED", {}
        revision = listed["metadata"]["resourceVersion"]
        with contextlib.suppress(Unreachable):
            try:
                async with contextlib.aclosing(events(call, path, {**query, "resourceVersion": revision})) as changes:
                    async for kind, obj in changes:
                        last = obj["metadata"]["resourceVersion"]
                        yield kind, obj
            except StatusError as refused:
                if refused.code != GONE:
                    raise
        await call.clock.sleep(PAUSE_SECONDS)


async def until(
    call: Call, path: str, name: str, is_done: Callable[[str, Object], bool], timeout_seconds: float = 0
) -> Object:
    """The object of which `is_done(event, object)` is true first. Raises TimeoutError; 0 is for ever."""
    limit = call.clock.timeout(timeout_seconds) if timeout_seconds else contextlib.nullcontext()
    async with limit, contextlib.aclosing(one(call, path, name)) as changes:
        async for kind, obj in changes:
            if is_done(kind, obj):
                return obj
    raise AssertionError("it goes on for ever")


def _typed(item: Object, listed: Object) -> Object:
    kind = listed.get("kind", "").removesuffix("List")
    return {"apiVersion": listed.get("apiVersion", ""), "kind": kind, **item}
