"""`kubectl get`: objects as the server's tables, or whole in a format of one's choice; once, or as they change."""

import contextlib
import datetime
import urllib.parse
from typing import TypeVar

from steersman.kubectl import builder, flags, flags_shared, printers, problems
from steersman.kubectl.builder import Info, Query
from steersman.kubectl.call import Call
from steersman.kubectl.discovery import Resource
from steersman.kubectl.flags import Flag, Values
from steersman.kubectl.printers import choose, tables
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.kubectl.problems import CommandError, UsageError
from steersman.meta.objects import Object

FORMATS = (*choose.PLAIN, *choose.TEMPLATES, *choose.COLUMNS, "wide")

FLAGS = (
    flags_shared.ALL_NAMESPACES,
    *flags_shared.TEMPLATE_FLAGS,
    flags_shared.CHUNK_SIZE,
    flags_shared.FIELD_SELECTOR,
    *flags_shared.filenames("to get from the server"),
    Flag("ignore-not-found", flags.BOOL, help="An object that is not there is no failure."),
    Flag("label-columns", flags.LIST, short="L", help="Labels to show in columns, separated by commas or given again."),
    Flag("no-headers", flags.BOOL, help="Print no headers."),
    Flag("output", short="o", help=f"Output format. One of: ({', '.join(FORMATS)})."),
    Flag(
        "output-watch-events", flags.BOOL, help="Print watch events instead of objects, with --watch or --watch-only."
    ),
    Flag("raw", help="Print what the server answers for this path."),
    flags_shared.SELECTOR,
    Flag("server-print", flags.BOOL, True, help="Let the server say what the columns are."),
    Flag("show-kind", flags.BOOL, help="Print names with their types."),
    Flag("show-labels", flags.BOOL, help="Print all labels in a last column."),
    flags_shared.SHOW_MANAGED_FIELDS,
    Flag("sort-by", help="JSONPath of the field to sort lists by ('{.metadata.name}')."),
    flags_shared.SUBRESOURCE,
    Flag("watch", flags.BOOL, short="w", help="After this, watch for changes."),
    Flag("watch-only", flags.BOOL, help="Watch for changes only."),
)
USAGE = f"[(-o|--output=){'|'.join(FORMATS)}] (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]"
HELP = """Display one or many resources.

A table with what matters most of each; -o shows more, or the whole objects. Without a namespace the current one is looked at.
"""
EXAMPLES = """
# Pods, with their nodes and addresses
{program} get pods -o wide

# One object, whole
{program} get deployment/web -o yaml

# Several types at once, everywhere
{program} get services,ingresses --all-namespaces
"""

T = TypeVar("T")

# What asks the server for Tables.
ACCEPT_TABLE = ",".join(f"application/json;as=Table;v={version};g=meta.k8s.io" for version in ("v1", "v1beta1"))
ACCEPT = f"{ACCEPT_TABLE},application/json"


async def run(call: Call) -> None:
    flags = call.flags
    if flags["raw"]:
        check_raw(flags, call.arguments)
        await _print_raw(call)
        return
    watches = flags["watch"] or flags["watch-only"]
    if not (watches or call.arguments or flags["filename"] or flags["kustomize"]):
        raise _nothing_asked(call)
    check(flags)
    if watches:
        from steersman.kubectl import get_watch

        await get_watch.run(call)
    elif is_table(flags):
        await _print_tables(call)
    else:
        await _print_whole(call)


def check(flags: Values) -> None:
    """Flags that do not go together. Raises CommandError."""
    output = flags["output"]
    if flags["show-labels"] and output not in ("", "wide"):
        raise CommandError(f"--show-labels option cannot be used with {output} printer")
    if flags["output-watch-events"] and not (flags["watch"] or flags["watch-only"]):
        raise CommandError("--output-watch-events option can only be used with --watch or --watch-only")


def check_raw(flags: Values, arguments: list[str]) -> None:
    """Raises CommandError."""
    if arguments:
        raise CommandError("arguments may not be passed when --raw is specified")
    if flags["watch"] or flags["watch-only"] or flags["selector"]:
        raise CommandError(
            "--raw may not be specified with other flags that filter the server request or alter the output"
        )
    if flags["output"]:
        raise CommandError("--raw and --output are mutually exclusive")
    if not flags["raw"].startswith(("/", "http://", "https://")):
        raise CommandError(f'--raw must be a valid URL path: parse "{flags["raw"]}": invalid URI for request')


def is_table(flags: Values) -> bool:
    """Whether a table is printed; its columns are the server's, unless --server-print=false."""
    return flags["output"] == "wide" or not (flags["output"] or flags["template"])


def query(call: Call, **changes: object) -> Query:
    """What is looked for, in the form it is printed in."""
    from_server = is_table(call.flags) and call.flags["server-print"]
    parameters = (("includeObject", "Object"),) if from_server and call.flags["sort-by"] else ()
    accept = ACCEPT if from_server else ""
    changes = {"everything": True, "latest": True, "accept": accept, "parameters": parameters, **changes}
    return builder.from_flags(call, **changes)


def table_options(call: Call, resource: Resource, *, several: bool = False) -> tables.Options:
    flags = call.flags
    return tables.Options(
        wide=flags["output"] == "wide",
        headers=not flags["no-headers"],
        namespace=flags["all-namespaces"] and resource.namespaced,
        kind=resource.qualified_kind if flags["show-kind"] or several else "",
        show_labels=flags["show-labels"],
        label_columns=flags["label-columns"],
    )


def as_table(obj: Object, now: datetime.datetime) -> Object:
    """What a server that makes no Tables answered, as one of names and ages."""
    return obj if obj.get("kind") == "Table" else tables.of_objects(obj.get("items", [obj]), now)


async def _print_raw(call: Call) -> None:
    path, _, text = call.flags["raw"].partition("?")
    async with contextlib.aclosing(call.stream(urllib.parse.unquote(path), text)) as pieces:
        async for piece in pieces:
            call.write(piece)


async def _print_whole(call: Call) -> None:
    printer = printers.make(call.flags, formats=FORMATS)
    chunk_size = 0 if call.flags["sort-by"] else call.flags["chunk-size"]
    found = await builder.find(call, query(call, keep_going=True, chunk_size=chunk_size))
    infos, error = await found.collected()
    error = _forgiven(call.flags, error)
    if error is not None and found.is_single:
        raise error
    if not infos and call.flags["ignore-not-found"]:
        problems.raise_all([error] if error else [])
        return
    if found.is_single and len(infos) == 1 and "items" not in infos[0].object:
        call.write(printer.print(infos[0].object))
    else:
        items = [info.object for info in infos]
        items = _sorted(call.flags, items, items) if call.flags["sort-by"] else items
        whole = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
        call.write(printer.print(whole))
    if error is not None:
        raise error


def _sorted(flags: Values, found: list[T], objects: list[Object]) -> list[T]:
    """`found` in the order of its `objects`' field. Raises CommandError."""
    from steersman.kubectl.printers import sorting

    try:
        return sorting.sort(found, objects, flags["sort-by"])
    except sorting.Unsortable as problem:
        raise CommandError(f"Field {flags['sort-by']} is an unsortable type: {problem}") from problem
    except sorting.SortError as problem:
        raise CommandError(str(problem)) from problem


async def _print_tables(call: Call) -> None:
    flags = call.flags
    changes = {"chunk_size": 0} if flags["sort-by"] else {}
    found = await builder.find(call, query(call, keep_going=True, flatten=not flags["server-print"], **changes))
    infos, error = await found.collected()
    error = _forgiven(flags, error)
    if len(infos) > 1 and flags["sort-by"]:
        infos = _sorted(flags, infos, [info.object for info in infos])  # refused for several Tables, as upstream does
    wrote = _write_tables(call, infos)
    if not wrote and error is None and not flags["ignore-not-found"]:
        is_here = not flags["all-namespaces"] and all(info.resource.namespaced for info in infos)
        call.write_error(f"No resources found in {call.namespace} namespace.\n" if is_here else "No resources found\n")
    if isinstance(error, CommandError) and not (call.arguments and found.is_single):
        raise CommandError(str(error), bare=True)  # one of several things that may have gone wrong
    if error is not None:
        raise error


def _write_tables(call: Call, infos: list[Info]) -> bool:
    """One table for each run of the same resource, with an empty line between; whether anything was written."""
    writer = TabWriter(remember=True)
    several = len({(info.resource.api_version, info.resource.kind) for info in infos}) > 1
    wrote, separator = False, ""
    last: Resource | None = None
    for info in infos:
        if info.resource != last:
            wrote = _flush(call, writer) or wrote
            writer.forget()
            separator = "\n" if wrote and not call.flags["no-headers"] else ""
            printer = tables.TablePrinter(table_options(call, info.resource, several=several), writer)
            last = info.resource
        table = _with_rows_sorted(call.flags, as_table(info.object, call.clock.now()))
        if separator and table.get("rows"):
            call.write(separator)
            separator = ""
        printer.print(table)
    return _flush(call, writer) or wrote


def _with_rows_sorted(flags: Values, table: Object) -> Object:
    """A table without the field is not shown at all, as upstream has it. Raises CommandError for one without an order."""
    rows = table.get("rows") or []
    if not flags["sort-by"] or len(rows) < 2:
        return table
    from steersman.kubectl.printers import sorting

    try:
        return {**table, "rows": _sorted(flags, rows, [row["object"] for row in rows])}
    except CommandError as problem:
        if isinstance(problem.__cause__, sorting.Unsortable):
            raise
        return {**table, "rows": []}


def _flush(call: Call, writer: TabWriter) -> bool:
    text = writer.flush()
    call.write(text)
    return bool(text)


def _nothing_asked(call: Call) -> UsageError:
    program = call.program
    call.write_error(
        f'You must specify the type of resource to get. Use "{program} api-resources" for a complete list of supported '
        "resources.\n\n"
    )
    return UsageError(
        f'Required resource not specified.\nUse "{program} explain <resource>" for a detailed description of that resource '
        f"(e.g. {program} explain pods)."
    )


def _forgiven(flags: Values, error: Exception | None) -> Exception | None:
    return problems.without(error, "NotFound") if flags["ignore-not-found"] else error
