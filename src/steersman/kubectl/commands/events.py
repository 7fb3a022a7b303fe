"""`kubectl events`: what happened, in a namespace, everywhere or to one object; once, or as it happens."""

import contextlib
import math

import orjson

from steersman.client import lines
from steersman.kubectl import access_flags, event_list, flags, flags_shared, printers
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.kubectl.problems import CommandError, Exit
from steersman.meta.objects import Object

CHUNK = 500

FLAGS = (
    flags_shared.ALL_NAMESPACES,
    flags_shared.CHUNK_SIZE,
    Flag("for", help="Show only events about this TYPE/NAME."),
    Flag("no-headers", flags.BOOL, help="Print no headers above the table."),
    *flags_shared.PRINT,
    Flag("types", flags.LIST, help="Show only events of these types (Normal, Warning)."),
    Flag("watch", flags.BOOL, short="w", help="After the events that there are, wait for more."),
)
USAGE = (
    "[(-o|--output=)json|yaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|"
    "jsonpath-file] [--for TYPE/NAME] [--watch] [--types=Normal,Warning]"
)
HELP = """List events.

A table of what happened, the latest last: in the namespace, in all of them, or to the object that --for names.
"""
EXAMPLES = """
# What happened in this namespace
{program} events

# What happened to a pod, and what will
{program} events --for pod/web-1 --watch

# Warnings only
{program} events --types=Warning
"""


async def run(call: Call) -> int | None:
    selector = await _selector(call)
    types = sorted(set(call.flags["types"]))
    printer = _Printer(call)
    if any(one.lower() not in ("normal", "warning") for one in types):
        raise CommandError("valid --types are Normal or Warning")
    everywhere = call.flags["all-namespaces"]
    path = "/api/v1/events" if everywhere else f"/api/v1/namespaces/{call.namespace}/events"
    if call.flags["watch"]:
        await _watch(call, path, selector, types, printer)
        return None
    found = await _listed(call, path, selector)
    wanted = [event_list.whole(event) for event in found if event_list.is_wanted(event, types)]
    if not wanted:
        call.write_error(f"No events found{'' if everywhere else f' in {call.namespace} namespace'}.\n")
        return None
    items = event_list.in_order(wanted)
    call.write(printer.print({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": items}))
    return None


async def _selector(call: Call) -> str:
    """What --for means, as a field selector."""
    said = call.flags["for"]
    if not said:
        return ""
    parts = said.split("/")
    if len(parts) == 1:
        raise CommandError("--for must be in resource/name form")
    if len(parts) > 2:
        raise CommandError("arguments in resource/name form may not have more than one slash")
    resource = (await call.discovery()).look_up(parts[0])
    if resource is None:
        call.write_error(f'the server doesn\'t have a resource type "{parts[0]}"\n')
        raise Exit
    return f"involvedObject.kind={resource.kind},involvedObject.name={parts[1]}"


async def _listed(call: Call, path: str, selector: str) -> list[Object]:
    items: list[Object] = []
    token = ""
    while True:
        page = await call.ask("GET", path, {"fieldSelector": selector, "limit": CHUNK, "continue": token})
        items += page.get("items") or []
        token = (page.get("metadata") or {}).get("continue", "")
        if not token:
            return items


async def _watch(call: Call, path: str, selector: str, types: list[str], printer: "_Printer") -> None:
    seconds = access_flags.timeout_seconds(call.flags) or 0
    query: dict[str, str | int] = {
        "fieldSelector": selector,
        "limit": CHUNK,
        "watch": "true",
        "timeoutSeconds": math.ceil(seconds),
    }
    async with contextlib.aclosing(call.stream(path, query)) as pieces:
        async for batch in lines.split(pieces):
            for change in map(orjson.loads, batch):
                event = change.get("object") or {}
                if change.get("type") in ("ADDED", "MODIFIED") and event_list.is_wanted(event, types):
                    call.write(printer.print(event_list.whole(event)))
            call.streams.flush()


class _Printer:
    """A table whose headers are printed once, or the format that -o names."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._headers = not call.flags["no-headers"]
        self._writer = TabWriter(remember=True)
        self._whole = printers.make(call.flags) if call.flags["output"] else None
        if call.flags["output"] == "json":
            from steersman.kubectl.printers.typed_json import TypedJsonPrinter

            self._whole = TypedJsonPrinter(
                "io.k8s.api.core.v1.Event" + ("" if call.flags["watch"] else "List"),
                keep_managed_fields=call.flags["show-managed-fields"],
            )

    def print(self, obj: Object) -> str:
        if self._call.flags["output"] == "name" and "items" in obj:
            return ""  # upstream's name printer refuses typed lists, and nobody looks at its error
        if self._whole is not None:
            return self._whole.print(obj)
        everywhere = self._call.flags["all-namespaces"]
        writer = self._writer
        if self._headers:
            writer.row(*(("NAMESPACE", *event_list.COLUMNS) if everywhere else event_list.COLUMNS))
            self._headers = False
        for event in obj.get("items", [obj]):
            writer.row(*event_list.cells(event, self._call.clock.now(), namespace=everywhere))
        return writer.flush()
