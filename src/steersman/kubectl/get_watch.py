"""`kubectl get --watch`: what there is, then each change as it comes, until the server ends the watch or somebody interrupts."""

import contextlib
import math
from typing import Any

import orjson

from steersman.client import lines
from steersman.kubectl import access_flags, builder, printers
from steersman.kubectl.builder import Info, Query
from steersman.kubectl.call import Call
from steersman.kubectl.commands import get
from steersman.kubectl.printers import plain, tables
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.kubectl.problems import CommandError
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

INTERRUPTED = 1  # kubectl's exit code for Ctrl-C in a watch


async def run(call: Call) -> None:
    if call.flags["sort-by"]:
        call.write_error("warning: --watch or --watch-only requested, --sort-by will be ignored\n")
    call.interrupted_code = INTERRUPTED
    query = get.query(call, single_type=True, flatten=False)
    found = await builder.find(call, query)
    infos = await found.infos()
    if len({info.resource for info in infos}) > 1:
        raise CommandError(
            "watch is only supported on individual resources and resource collections - more than 1 resource was found"
        )
    first = infos[0]
    is_list = not found.is_single and not first.name
    shown = _Shown(call, first)
    if not call.flags["watch-only"]:
        for info in infos:
            for obj in info.object.get("items", [info.object]):
                shown.show("ADDED", _typed(obj, info.object))
        shown.flush()
    if len(infos) > 1 and not is_list:
        raise CommandError("you may only watch a single resource or type of resource at a time")
    # A watch of one object begins with what was shown already.
    await _follow(call, query, first, shown, is_list=is_list)


async def _follow(call: Call, query: Query, info: Info, shown: "_Shown", *, is_list: bool) -> None:
    version = (info.object.get("metadata") or {}).get("resourceVersion", "") if is_list else "0"
    parameters: dict[str, Any] = {
        **dict(query.parameters),
        "watch": "true",
        "resourceVersion": version,
        "timeoutSeconds": math.ceil(access_flags.timeout_seconds(call.flags) or 0),
        "labelSelector": query.selector or "",
        "fieldSelector": (query.field_selector or "") if is_list else f"metadata.name={info.name}",
    }
    headers = {"accept": query.accept} if query.accept else None
    path = info.resource.path(info.namespace if info.name else query.namespace)
    skip = not is_list
    async with contextlib.aclosing(call.stream(path, parameters, headers=headers)) as stream:
        async for batch in lines.split(stream):
            for line in batch:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise StatusError(event["object"])
                if not skip:
                    shown.show(event["type"], event["object"])
                skip = False
            shown.flush()


class _Shown:
    """Objects or events in the format that was asked for."""

    def __init__(self, call: Call, info: Info) -> None:
        self._call = call
        self._as_events = call.flags["output-watch-events"]
        self._writer = TabWriter(remember=True)
        self._table = (
            tables.TablePrinter(get.table_options(call, info.resource), self._writer)
            if get.is_table(call.flags)
            else None
        )
        self._printer = None if self._table else printers.make(call.flags, formats=get.FORMATS)

    def show(self, kind_of_event: str, obj: Object) -> None:
        if self._table is not None:
            table = get.as_table(obj, self._call.clock.now())
            self._table.print(table, kind_of_event if self._as_events else "")
            return
        assert self._printer is not None
        if not self._as_events:
            self._writer.write(self._printer.print(obj))
        elif self._call.flags["output"] == "json":
            whole = f'{{"type":"{kind_of_event}","object":{plain.format_json(obj, indent=None)}}}\n'
            self._writer.write(whole)
        else:
            self._writer.write(self._printer.print({"type": kind_of_event, "object": obj}))

    def flush(self) -> None:
        self._call.write(self._writer.flush())
        self._call.streams.flush()


def _typed(obj: Object, whole: Object) -> Object:
    if obj is not whole:
        obj.setdefault("apiVersion", whole.get("apiVersion", ""))
        obj.setdefault("kind", whole.get("kind", "").removesuffix("List"))
    return obj
