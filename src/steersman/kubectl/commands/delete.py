"""`kubectl delete`: by files, names, selectors or all of a type; and waiting until it is done."""

import contextlib
import dataclasses

from steersman.kubectl import builder, flags_shared, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands import deletion
from steersman.kubectl.flags import BOOL, DURATION, INT, STRING, Flag, Values
from steersman.kubectl.problems import CommandError, Several, StatusError

FLAGS = (
    Flag("all", BOOL, help="All resources of the types, in the namespace."),
    flags_shared.ALL_NAMESPACES,
    deletion.CASCADE,
    flags_shared.DRY_RUN,
    flags_shared.FIELD_SELECTOR,
    *flags_shared.filenames("containing the resource to delete"),
    Flag("force", BOOL, help="Remove it from the API at once, without waiting for an orderly end. Data may be lost."),
    Flag("grace-period", INT, -1, help="Seconds for an orderly end; less than 0: what the resource says."),
    Flag("ignore-not-found", BOOL, help="A resource that is not there is no failure. On by default with --all."),
    Flag("interactive", BOOL, short="i", help="Ask before anything is deleted."),
    Flag("now", BOOL, help="Shut down at once (--grace-period=1)."),
    Flag("output", STRING, short="o", help='Output mode: "-o name" for short output (resource/name).'),
    Flag("raw", help="DELETE this path of the server; a file may be its body."),
    flags_shared.SELECTOR,
    Flag("timeout", DURATION, help="How long to wait; 0 stands for a time that fits the objects' size."),
    Flag("wait", BOOL, True, help="Come back when the resources are gone; waits for finalizers."),
)
USAGE = "([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)])"
HELP = """Delete resources by file names, stdin, resources and names, or by resources and label selector.

A pod that is deleted by force may go on running where its node cannot be reached.
"""
EXAMPLES = """
# What a file names
{program} delete -f ./pod.json

# By name
{program} delete pod,service baz foo

# By label
{program} delete pods,services -l name=myLabel

# All pods of the namespace
{program} delete pods --all
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    how: str
    grace_seconds: int
    cascade: str
    wait: bool


async def run(call: Call) -> int | None:
    options = complete(call)
    if call.flags["raw"]:
        from steersman.kubectl.commands.create import manifests

        await manifests.post_raw(call, "DELETE")
        return None
    infos = await _wanted(call)
    if infos is None:
        return None
    await delete(call, infos, options)
    return None


def complete(call: Call) -> Options:
    """The flags as they are meant. Raises CommandError."""
    flags = call.flags
    how, cascade = writes.dry_run(call), deletion.cascade(flags)
    grace = flags["grace-period"]
    if flags["now"]:
        if grace != -1:
            raise CommandError("--now and --grace-period cannot be specified together")
        grace = 1
    wait = flags["wait"]
    if grace == 0 and not flags["force"]:
        # To wait for a moment without grace would take as long as the pod's own: one second is asked for instead.
        wait, grace = True, 1
    if flags["force"] and grace < 0:
        grace = 0
    if flags["force"] and not flags.changed("wait"):
        wait = False
    check(call, flags, grace)
    return Options(how, grace, cascade, wait)


def check(call: Call, flags: Values, grace: int) -> None:
    """Raises CommandError."""
    if flags["output"] not in ("", "name"):
        raise CommandError(f"unexpected -o output mode: {flags['output']}. We only support '-o name'")
    if flags["all"] and flags["selector"]:
        raise CommandError("setting 'all' parameter but found a non empty selector. ")
    if flags["all"] and flags["field-selector"]:
        raise CommandError("cannot set --all and --field-selector at the same time")
    if flags["force"]:
        if grace == 0:
            call.write_error(deletion.AT_ONCE)
        elif grace > 0:
            raise CommandError("--force and --grace-period greater than 0 cannot be specified together")
    if flags["raw"]:
        if len(flags["filename"]) > 1:
            raise CommandError("--raw can only use a single local file or stdin")
        if flags["recursive"]:
            raise CommandError("--raw and --recursive are mutually exclusive")
        if flags["output"]:
            raise CommandError("--raw and --output are mutually exclusive")


async def _wanted(call: Call) -> list[Info] | None:
    """What is to be deleted; None where the person at the terminal says no. Raises CommandError."""
    flags = call.flags
    query = builder.from_flags(call, keep_going=True, fetch=False)
    found = await builder.find(call, query)
    infos, error = await found.collected()
    ignore = flags["ignore-not-found"] or (flags["all"] and not flags.changed("ignore-not-found"))
    if error is not None:
        _raise_unless_ignored(error, ignore)
    if flags["interactive"] and not await _confirmed(call, infos):
        return None
    return infos


def _raise_unless_ignored(error: Exception, ignore: bool) -> None:
    several = error.errors if isinstance(error, Several) else (error,)
    if not ignore or not all(writes.is_status(one, "NotFound") for one in several):
        raise error


async def _confirmed(call: Call, infos: list[Info]) -> bool:
    if not infos:
        return True
    call.print(f"You are about to delete the following {len(infos)} resource(s):")
    for info in infos:
        call.print(f"{info}")
    call.write("Do you want to continue? (y/n): ")
    call.streams.flush()
    answer = call.streams.stdin.readline().decode(errors="replace").strip().lower()
    if answer == "y":
        return True
    call.print("deletion is cancelled")
    return False


async def delete(call: Call, infos: list[Info], options: Options) -> None:
    """Delete each, say so, and wait. Raises what the server refuses, at the end."""
    flags = call.flags
    ignore = flags.get("ignore-not-found") or (flags.get("all") and not flags.changed("ignore-not-found"))
    warn = call.enforce_namespace and not flags["all-namespaces"]
    failed: list[Exception] = []
    gone: list[tuple[Info, str]] = []
    found = 0
    for info in infos:
        if warn and not info.resource.namespaced:
            call.write_error("Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n")
            warn = False
        try:
            uid = await _delete(call, info, options)
        except (CommandError, StatusError) as refused:
            found += 1
            if not (ignore and writes.is_status(refused, "NotFound")):
                failed.append(writes.with_source("deleting", info.source, refused))
            continue
        found += 1
        gone.append((info, uid))
    if failed:
        raise Several(failed) if len(failed) > 1 else failed[0]
    if not found:
        call.print("No resources found")
        return
    if options.wait and options.how == writes.NONE:
        with contextlib.suppress(deletion.MayNotLook):
            await deletion.wait(call, gone, flags.get("timeout") or deletion.A_WEEK_SECONDS)


async def _delete(call: Call, info: Info, options: Options) -> str:
    """Its UID, as far as the answer tells it."""
    if options.how == writes.CLIENT:
        _say(call, info, options)
        return ""
    uid = await deletion.delete(call, info, options.cascade, options.grace_seconds, options.how)
    _say(call, info, options)
    return uid


def _say(call: Call, info: Info, options: Options) -> None:
    if call.flags["output"] == "name":
        call.print(str(info))
    else:
        call.print(text(info, options))


def text(info: Info, options: Options) -> str:
    """`pod "web" deleted`."""
    done = writes.operation("force deleted" if options.grace_seconds == 0 else "deleted", options.how)
    return f'{info.resource.qualified_kind} "{info.name}" {done}'
