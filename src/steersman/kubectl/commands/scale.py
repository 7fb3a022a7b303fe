"""`kubectl scale`: another number of replicas, perhaps only from a known one."""

from steersman.kubectl import builder, flags_shared, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending
from steersman.kubectl.flags import BOOL, DURATION, INT, Flag
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

# How long a write that others overtake is tried again, and how often.
CONFLICT_SECONDS = 300.0
RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.2

FLAGS = (
    Flag("all", BOOL, help="All resources of the types, in the namespace."),
    Flag("current-replicas", INT, -1, help="Only from this number; -1 for from any."),
    flags_shared.DRY_RUN,
    *flags_shared.filenames("identifying the resource to set a new size"),
    record.FLAG,
    Flag("replicas", INT, help="The new number of replicas. Required."),
    Flag("resource-version", help="Only while this is its resourceVersion."),
    flags_shared.SELECTOR,
    Flag("timeout", DURATION, help="How long to wait until there are so many; 0 is not at all."),
    *flags_shared.PRINT,
)
USAGE = "[--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME)"
HELP = "Set a new size for a deployment, replica set, replication controller, or stateful set."
EXAMPLES = """
# Three replicas
{program} scale --replicas=3 rs/foo

# Three, if there are two
{program} scale --current-replicas=2 --replicas=3 deployment/mysql
"""


async def run(call: Call) -> None:
    flags = call.flags
    sending.require(call, "replicas")
    how = writes.dry_run(call)
    if flags["replicas"] < 0:
        raise CommandError("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    if flags["current-replicas"] < -1:
        raise CommandError("The --current-replicas must specify an integer of -1 or greater")
    found = await builder.find(call, builder.from_flags(call, keep_going=True))
    infos, error = await found.collected()
    if flags["resource-version"] and len(infos) > 1:
        raise CommandError("cannot use --resource-version with multiple resources")
    if not infos:
        raise CommandError("no objects passed to scale" + (f" {error}" if error is not None else ""))
    printer = printers.make(flags, operation=writes.operation("scaled", how))
    for info in infos:
        if how != writes.CLIENT:
            await scale(call, info, how)
            cause = record.patch(call)
            if cause is not None:
                await writes.patch(call, info, writes.MERGE, cause, writes.parameters(how))
        call.write(printer.print(info.object))
    if error is not None:
        raise error


async def scale(call: Call, info: Info, how: str) -> None:
    """Raises CommandError, StatusError."""
    path = info.at("scale")
    wanted, query = call.flags["replicas"], writes.parameters(how)
    if call.flags["current-replicas"] == -1 and not call.flags["resource-version"]:
        body = {"spec": {"replicas": wanted}}
        await call.ask("PATCH", path, query, body, content_type=writes.MERGE)
    else:
        await _from_known(call, path, wanted, query)
    seconds = call.flags["timeout"]
    if seconds and how == writes.NONE:
        await _settled(call, info, path, wanted, seconds)


async def _from_known(call: Call, path: str, wanted: int, query: dict[str, str]) -> None:
    deadline = call.clock.monotonic() + CONFLICT_SECONDS
    while True:
        live = await call.ask("GET", path)
        check(live, call.flags["current-replicas"], call.flags["resource-version"])
        try:
            spec = {**(live.get("spec") or {}), "replicas": wanted}
            await call.ask("PUT", path, query, {**live, "spec": spec})
        except StatusError as refused:
            if refused.reason != "Conflict" or call.clock.monotonic() > deadline:
                raise
            await call.clock.sleep(RETRY_SECONDS)
        else:
            return


def check(live: Object, replicas: int, version: str) -> None:
    """Raises CommandError where it is not as it must be."""
    there = (live.get("spec") or {}).get("replicas", 0)
    if replicas not in (-1, there):
        raise CommandError(f"Expected replicas to be {replicas}, was {there}")
    now = (live.get("metadata") or {}).get("resourceVersion", "")
    if version and version != now:
        raise CommandError(f"Expected resource version to be {version}, was {now}")


async def _settled(call: Call, info: Info, path: str, wanted: int, seconds: float) -> None:
    deadline = call.clock.monotonic() + seconds
    while True:
        live = await call.ask("GET", path)
        if (live.get("status") or {}).get("replicas", 0) == wanted:
            return
        if call.clock.monotonic() > deadline:
            raise CommandError(f'timed out waiting for "{info.name}" to be synced')
        await call.clock.sleep(LOOK_SECONDS)
