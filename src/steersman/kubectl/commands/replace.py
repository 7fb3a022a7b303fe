"""`kubectl replace`: objects become what files say; with --force by being deleted and created."""

import contextlib

from steersman.kubectl import builder, flags_shared, printers, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands import delete, deletion
from steersman.kubectl.commands.create import manifests
from steersman.kubectl.flags import BOOL, DURATION, INT, Flag, Values
from steersman.kubectl.merging import last_applied
from steersman.kubectl.problems import CommandError, StatusError, UsageError, raise_all

# How long --force waits for what it deleted, without --timeout.
GONE_SECONDS = 300.0

FLAGS = (
    deletion.CASCADE,
    flags_shared.DRY_RUN,
    flags_shared.field_manager("kubectl-replace"),
    *flags_shared.filenames("to use to replace the resource"),
    Flag(
        "force", BOOL, help="Delete and create anew what cannot be changed. With a grace period of 0 data may be lost."
    ),
    Flag("grace-period", INT, -1, help="With --force: seconds for an orderly end; less than 0: what it says itself."),
    Flag("raw", help="PUT what a file (or standard input) holds to this path of the server."),
    writes.SAVE_CONFIG,
    flags_shared.SUBRESOURCE,
    Flag("timeout", DURATION, help="With --force: how long to wait until what was deleted is gone."),
    flags_shared.VALIDATE,
    Flag("wait", BOOL, help="Wait until what is deleted is gone."),
    *flags_shared.PRINT,
)
USAGE = "-f FILENAME"
HELP = "Replace a resource by file name or stdin. The whole specification must be given."
EXAMPLES = """
# What a file says
{program} replace -f ./pod.json

# What there is, with a change
{program} get pod mypod -o yaml | sed 's/\\(image: myimage\\):.*$/\\1:v4/' | {program} replace -f -

# By force
{program} replace --force -f ./pod.json
"""


async def run(call: Call) -> None:
    flags = call.flags
    if call.arguments:
        raise UsageError(f"Unexpected args: [{' '.join(call.arguments)}]")
    how, fields = writes.dry_run(call), writes.validation(flags)
    cascade = deletion.cascade(flags)
    check(flags, how)
    if flags["raw"]:
        await manifests.post_raw(call, "PUT")
        return
    printer = printers.make(flags, operation=writes.operation("replaced", how))
    query = writes.parameters(how, manager=flags["field-manager"], fields=fields)
    wanted = builder.from_flags(call, keep_going=True, validate=fields != "Ignore", arguments=())
    if flags["force"]:
        infos = await (await builder.find(call, wanted)).infos()
        await _by_force(call, infos, cascade, query)
        for info in infos:
            call.write(printer.print(info.object))
        _some(len(infos))
        return
    count = 0

    async def one(info: Info) -> None:
        nonlocal count
        count += 1
        obj = _annotated(info, flags)
        if how != writes.CLIENT:
            try:
                obj = await writes.replace(call, info, obj, query, flags["subresource"])
            except (CommandError, StatusError) as refused:
                raise writes.with_source("replacing", info.source, refused) from refused
        call.write(printer.print(obj))

    await (await builder.find(call, wanted)).visit(one)
    _some(count)


def _some(count: int) -> None:
    if not count:
        raise CommandError("no objects passed to replace")


def check(flags: Values, how: str) -> None:
    """Raises CommandError."""
    if flags["grace-period"] >= 0 and not flags["force"]:
        raise CommandError("--grace-period must have --force specified")
    if flags["timeout"] and not flags["force"]:
        raise CommandError("--timeout must have --force specified")
    if flags["force"] and how != writes.NONE:
        raise CommandError("--dry-run can not be used when --force is set")
    if not flags["filename"] and not flags["kustomize"]:
        raise CommandError("must specify one of -f and -k")
    if flags["raw"]:
        manifests.check_raw(flags)


def _annotated(info: Info, flags: Values) -> dict[str, object]:
    if flags["save-config"] or last_applied.of(info.object) is not None:
        return last_applied.annotated(info.object)
    return info.object


async def _by_force(call: Call, infos: list[Info], cascade: str, query: dict[str, str]) -> None:
    """Delete what is there, wait until it is gone, create all. Raises the refusals, at the end."""
    flags = call.flags
    # Without any grace nobody would wait for the old ones' end: a moment is given, as for delete.
    grace = flags["grace-period"] or 1
    options = delete.Options(writes.NONE, grace, cascade, wait=False)
    gone: list[tuple[Info, str]] = []
    for info in infos:
        try:
            gone.append((info, await deletion.delete(call, info, cascade, grace)))
            call.print(str(info) if flags["output"] == "name" else delete.text(info, options))
        except (CommandError, StatusError) as refused:
            if not writes.is_status(refused, "NotFound"):
                raise writes.with_source("deleting", info.source, refused) from refused
    with contextlib.suppress(deletion.MayNotLook):
        await deletion.wait(call, gone, flags["timeout"] or GONE_SECONDS)
    failed: list[Exception] = []
    for info in infos:
        try:
            info.refresh(await writes.create(call, info, _annotated(info, flags), query))
        except StatusError as refused:
            failed.append(refused)
    raise_all(failed)
