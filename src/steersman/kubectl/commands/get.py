"""`kubectl get`: objects as the server's tables, or whole in a format of one's choice; once, or as they change."""

import datetime

from steersman.kubectl import builder, flags, flags_shared, printers, problems
from steersman.kubectl.builder import Info, Query
from steersman.kubectl.call import Call
from steersman.kubectl.discovery import Resource
from steersman.kubectl.flags import Flag
from steersman.kubectl.printers import choose, tables
from steersman.kubectl.printers.tabwriter import TabWriter
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

# What asks the server for Tables.
ACCEPT_TABLE = ",".join(f"application/json;as=Table;v={version};g=meta.k8s.io" for version in ("v1", "v1beta1"))
ACCEPT = f"{ACCEPT_TABLE},application/json"


async def run(call: Call) -> int | None:
    if not call.arguments and not call.flags["filename"] and not call.flags["kustomize"]:
        call.write_error(
            f'You must specify the type of resource to get. Use "{call.program} api-resources" for a complete list of '
            "supported resources.\n\n"
        )
        raise problems.UsageError(
            f'Required resource not specified.\nUse "{call.program} explain <resource>" for a detailed description of that '
            f"resource (e.g. {call.program} explain pods)."
        )
    if is_table(call.flags["output"]) and not call.flags["template"]:
        await _print_tables(call)
    else:
        await _print_whole(call)
    return None


def is_table(output: str) -> bool:
    return output in ("", "wide")


def _query(call: Call, **changes: object) -> Query:
    return builder.from_flags(call, everything=True, latest=True, keep_going=True, **changes)


async def _print_whole(call: Call) -> None:
    printer = printers.make(call.flags, formats=FORMATS)
    found = await builder.find(call, _query(call))
    infos, error = await found.collected()
    error = _forgiven(call, error)
    if error is not None and found.is_single:
        raise error
    if not infos and call.flags["ignore-not-found"] and error is None:
        return
    if found.is_single and len(infos) == 1 and "items" not in infos[0].object:
        call.write(printer.print(infos[0].object))
    else:
        items = [info.object for info in infos]
        whole = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
        call.write(printer.print(whole))
    if error is not None:
        raise error


async def _print_tables(call: Call) -> None:
    found = await builder.find(call, _query(call, flatten=False, accept=ACCEPT))
    infos, error = await found.collected()
    error = _forgiven(call, error)
    writer = TabWriter(remember=True)
    several = len({info.resource.kind for info in infos}) > 1
    wrote, separator = False, ""
    last: Resource | None = None
    for info in infos:
        if info.resource != last:
            wrote = _flush(call, writer) or wrote
            writer.forget()
            separator = "\n" if wrote and not call.flags["no-headers"] else ""
            printer = tables.TablePrinter(_options(call, info.resource, several), writer)
            last = info.resource
        table = as_table(info, call.clock.now())
        if separator and table.get("rows"):
            call.write(separator)
            separator = ""
        printer.print(table)
    wrote = _flush(call, writer) or wrote
    if not wrote and error is None and not call.flags["ignore-not-found"]:
        call.write_error(
            "No resources found\n"
            if call.flags["all-namespaces"]
            else f"No resources found in {call.namespace} namespace.\n"
        )
    if error is not None:
        raise error


def _flush(call: Call, writer: TabWriter) -> bool:
    text = writer.flush()
    call.write(text)
    return bool(text)


def _options(call: Call, resource: Resource, several: bool) -> tables.Options:
    flags = call.flags
    show_kind = flags["show-kind"] or several
    return tables.Options(
        wide=flags["output"] == "wide",
        headers=not flags["no-headers"],
        namespace=flags["all-namespaces"] and resource.namespaced,
        kind=resource.qualified_kind if show_kind else "",
        show_labels=flags["show-labels"],
        label_columns=flags["label-columns"],
    )


def as_table(info: Info, now: datetime.datetime) -> Object:
    """What a server that knows no tables answered, as one of names and ages."""
    obj = info.object
    if obj.get("kind") == "Table":
        return obj
    return tables.of_objects(obj.get("items", [obj]), now)


def _forgiven(call: Call, error: Exception | None) -> Exception | None:
    """With --ignore-not-found, what is left of the problems."""
    if error is None or not call.flags["ignore-not-found"]:
        return error
    errors = error.errors if isinstance(error, problems.Several) else (error,)
    return problems.together(
        [one for one in errors if not (isinstance(one, problems.StatusError) and one.reason == "NotFound")]
    )
