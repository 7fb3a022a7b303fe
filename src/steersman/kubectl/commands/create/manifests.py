"""`create -f`: objects from files, as they stand there."""

import json

from steersman.kubectl import builder, flags_shared, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import BOOL, Flag, Values
from steersman.kubectl.merging import last_applied
from steersman.kubectl.problems import CommandError, StatusError, UsageError

FLAGS = (
    flags_shared.DRY_RUN,
    Flag("edit", BOOL, help="Edit what the files say before it is created."),
    flags_shared.field_manager("kubectl-create"),
    *flags_shared.filenames("to use to create the resource"),
    record.FLAG,
    Flag("raw", help="POST what a file (or standard input) holds to this path of the server."),
    writes.SAVE_CONFIG,
    flags_shared.SELECTOR,
    flags_shared.VALIDATE,
    writes.WINDOWS_LINE_ENDINGS,
    *flags_shared.PRINT,
)
USAGE = "-f FILENAME"
HELP = "Create a resource from a file or from stdin: JSON and YAML are read."
EXAMPLES = """
# What a file says
{program} create -f ./pod.json

# What another program prints
cat pod.json | {program} create -f -
"""


async def run(call: Call) -> int | None:
    flags = call.flags
    if call.arguments:
        raise UsageError(f"Unexpected args: [{' '.join(call.arguments)}]")
    if not flags["filename"] and not flags["kustomize"]:
        raise CommandError("must specify one of -f and -k")
    how, fields = writes.dry_run(call), writes.validation(flags)
    check_raw(flags)
    if flags["raw"]:
        await post_raw(call)
        return None
    printer = printers.make(flags, operation=writes.operation("created", how))
    if flags["edit"]:
        from steersman.kubectl.commands import edit

        await edit.create(call, how, fields)
        return None
    query = writes.parameters(how, manager=flags["field-manager"], fields=fields)
    found = await builder.find(
        call, builder.from_flags(call, keep_going=True, validate=fields != "Ignore", arguments=())
    )
    count = 0

    async def create(info: Info) -> None:
        nonlocal count
        obj = record.recorded(call, info.object)
        if flags["save-config"] or last_applied.of(obj) is not None:
            obj = last_applied.annotated(obj)
        if how != writes.CLIENT:
            try:
                obj = await writes.create(call, info, obj, query)
            except StatusError as refused:
                raise writes.with_source("creating", info.source, refused) from refused
            info.refresh(obj)
        count += 1
        call.write(printer.print(obj))

    await found.visit(create)
    if not count:
        raise CommandError("no objects passed to create")
    return None


def check_raw(flags: Values) -> None:
    """Raises CommandError."""
    if not flags["raw"]:
        return
    if flags.get("edit"):
        raise CommandError("--raw and --edit are mutually exclusive")
    if len(flags["filename"]) != 1:
        raise CommandError("--raw can only use a single local file or stdin")
    if flags["filename"][0].startswith(("http://", "https://")):
        raise CommandError("--raw cannot read from a url")
    if flags["recursive"]:
        raise CommandError("--raw and --recursive are mutually exclusive")
    if flags.get("selector"):
        raise CommandError("--raw and --selector (-l) are mutually exclusive")
    if flags["output"]:
        raise CommandError("--raw and --output are mutually exclusive")


async def post_raw(call: Call, method: str = "POST") -> None:
    """Send a file's bytes to a path, print the answer's."""
    path, query = writes.raw_path(call.flags["raw"])
    body = raw_body(call)
    headers = {"content-type": "application/json" if _is_json(body) else "application/yaml"} if body else None
    response = await call.request(method, path, query, body or None, headers=headers)
    call.write(response.body)


def raw_body(call: Call) -> bytes:
    """What the one file, or standard input, holds. Raises CommandError."""
    import pathlib

    name = call.flags["filename"][0] if call.flags["filename"] else ""
    if not name:
        return b""
    if name == "-":
        return call.streams.read()
    try:
        return pathlib.Path(name).read_bytes()
    except OSError as wrong:
        raise CommandError(f"open {name}: {(wrong.strerror or str(wrong)).lower()}") from wrong


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
