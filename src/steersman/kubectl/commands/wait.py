"""`kubectl wait`: until objects are deleted, created, have a condition, or a value somewhere."""

import contextlib
import dataclasses

import orjson

from steersman.client import lines
from steersman.kubectl import builder, flags, flags_shared, printers, problems, waiting
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.printers import Printer
from steersman.kubectl.problems import CommandError
from steersman.kubectl.waiting import Condition, Creation, Deletion, Value, Wish
from steersman.meta import errors
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_FILENAME, _RECURSIVE = flags_shared.filenames("to wait for", kustomize=False)
FLAGS = (
    Flag("all", flags.BOOL, help="All objects of the types."),
    flags_shared.ALL_NAMESPACES,
    flags_shared.FIELD_SELECTOR,
    _FILENAME,
    Flag(
        "for",
        help="What to wait for: [create|delete|condition=NAME[=VALUE]|jsonpath='{PATH}'=[VALUE]]. "
        "The value of a condition is true unless given; case does not matter.",
    ),
    Flag("local", flags.BOOL, help="Ask no server for types."),
    *flags_shared.PRINT,
    dataclasses.replace(_RECURSIVE, default=True),
    flags_shared.SELECTOR,
    Flag("timeout", flags.DURATION, 30.0, help="How long to wait: zero is to look once, less than that a week."),
)
USAGE = (
    "([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) "
    "[--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]]"
)
HELP = "Wait until objects are as they should be; fail when they are not in time."
EXAMPLES = """
# Until a deployment is available
{program} wait deployment/web --for=condition=Available --timeout=60s

# Until a pod is gone
{program} wait pod/busybox --for=delete

# Until a field has a value
{program} wait pod/busybox --for=jsonpath='{.status.phase}'=Running
"""

FOR_EVER_SECONDS = 168 * 3600.0  # a week: what less than zero means
CREATED_EVERY_SECONDS = 0.5
INTERRUPTED = 1


async def run(call: Call) -> None:
    call.interrupted_code = INTERRUPTED
    printer = printers.make(call.flags, operation="condition met")
    wish = waiting.parse(call.flags["for"])
    seconds = call.flags["timeout"] if call.flags["timeout"] >= 0 else FOR_EVER_SECONDS
    deadline = call.clock.monotonic() + seconds
    if isinstance(wish, Creation):
        await _until_created(call, printer, deadline)
        return
    count = 0

    async def look(info: Info) -> None:
        nonlocal count
        count += 1
        obj = await _until_met(call, info, wish, deadline, at_once=seconds == 0)
        call.write(printer.print(obj))
        call.streams.flush()

    found = await builder.find(call, _query(call))
    try:
        await found.visit(look)
    except (StatusError, problems.Several) as error:
        left = problems.without(error, "NotFound") if isinstance(wish, Deletion) else error
        if left is not None:
            raise left from None
    if not count and not isinstance(wish, Deletion):
        raise CommandError("no matching resources found")


def _query(call: Call) -> builder.Query:
    return builder.from_flags(call, latest=True, keep_going=True)


async def _until_created(call: Call, printer: Printer, deadline: float) -> None:
    """Look again and again: nothing tells of what is not there yet."""
    while True:
        infos: list[Info] = []
        with contextlib.suppress(StatusError):
            found = await builder.find(call, _query(call))
            infos, error = await found.collected()
            if error is not None:
                if not (isinstance(error, StatusError) and error.reason == "NotFound"):
                    raise error
                infos = []
        if infos:
            call.write("".join(printer.print(info.object) for info in infos))
            return
        if call.clock.monotonic() + CREATED_EVERY_SECONDS > deadline:
            await call.clock.sleep(max(0.0, deadline - call.clock.monotonic()))
            raise CommandError("timed out waiting for the condition")
        await call.clock.sleep(CREATED_EVERY_SECONDS)


async def _until_met(call: Call, info: Info, wish: Wish, deadline: float, *, at_once: bool) -> Object:
    """The object as it was when the wish came true. Raises CommandError, StatusError."""
    if not info.name:
        raise CommandError("resource name must be provided")
    what = f"{info.resource.plural}/{info.name}"
    if at_once:
        return await _now(call, info, wish, what)
    try:
        async with call.clock.timeout(max(0.0, deadline - call.clock.monotonic())):
            while True:
                obj, version = await _listed(call, info)
                if isinstance(wish, Deletion):
                    if obj is None:
                        return info.object
                elif obj is None:
                    raise errors.not_found(info.resource.plural, info.name, info.resource.group)
                elif _is_met(wish, obj):
                    return obj
                seen = await _watched(call, info, wish, version)
                if seen is not None:
                    return seen
    except TimeoutError:
        raise CommandError(f"timed out waiting for the condition on {what}") from None


async def _now(call: Call, info: Info, wish: Wish, what: str) -> Object:
    """Look once."""
    try:
        obj: Object = await call.ask("GET", info.path)
    except StatusError as refused:
        if isinstance(wish, Deletion) and refused.reason == "NotFound":
            return info.object
        raise
    if not _is_met(wish, obj):
        raise CommandError(f"condition not met for {what}")
    return obj


def _is_met(wish: Wish, obj: Object) -> bool:
    return isinstance(wish, (Condition, Value)) and wish.is_met(obj)


async def _listed(call: Call, info: Info) -> tuple[Object | None, str]:
    """The object, if it is there, and the version to watch from."""
    path = info.resource.path(info.namespace)
    found = await call.ask("GET", path, {"fieldSelector": f"metadata.name={info.name}"})
    items = found.get("items") or []
    obj = items[0] if items else None
    if obj is not None:
        obj.setdefault("apiVersion", info.resource.api_version)
        obj.setdefault("kind", info.resource.kind)
    return obj, found["metadata"]["resourceVersion"]


async def _watched(call: Call, info: Info, wish: Wish, version: str) -> Object | None:
    """The object once the wish comes true; None when it must be looked at anew: it is gone, or the watch has ended."""
    query = {"fieldSelector": f"metadata.name={info.name}", "resourceVersion": version, "watch": "true"}
    async with contextlib.aclosing(call.stream(info.resource.path(info.namespace), query)) as stream:
        async for batch in lines.split(stream):
            for line in batch:
                event = orjson.loads(line)
                obj: Object = event["object"]
                match event["type"]:
                    case "ERROR":
                        what = "object to be deleted" if isinstance(wish, Deletion) else "condition to be satisfied"
                        call.write_error(f"error: An error occurred while waiting for the {what}: {obj['message']}")
                        return None
                    case "DELETED":
                        return obj if isinstance(wish, Deletion) else None
                if _is_met(wish, obj):
                    return obj
    return None
