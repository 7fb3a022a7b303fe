"""`kubectl rollout status`: how far a rollout is, until it is done."""

import contextlib

from steersman.kubectl import builder, flags, flags_shared, klog, rollout_progress, rollouts, watching
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    *flags_shared.filenames("to look at"),
    Flag("revision", flags.INT, help="The revision that must be the running one; 0 is the newest."),
    flags_shared.SELECTOR,
    Flag("timeout", flags.DURATION, help="How long to look (1s, 2m, 3h); 0 is for ever."),
    Flag("watch", flags.BOOL, True, short="w", help="Look until the rollout is done."),
)
USAGE = "(TYPE NAME | TYPE/NAME) [flags]"
HELP = """Show how far a rollout is.

It is looked at until it is done, unless --watch=false. A rollout that begins meanwhile is followed; with --revision it
is a failure.
"""
EXAMPLES = """
# Until every pod is new and available
{program} rollout status deployment/web
"""


async def run(call: Call) -> None:
    values = call.flags
    query = rollouts.query(call)
    if values["revision"] < 0:
        raise CommandError(f"revision must be a positive integer: {values['revision']}")
    if values["timeout"] < 0:
        told = '"Timeout for context shall not be negative"'
        call.write_error(klog.line("E", "until.go:159", told, call.clock.now()))
    limit = call.clock.timeout(values["timeout"]) if values["timeout"] > 0 else contextlib.nullcontext()
    found = await builder.find(call, query)
    try:
        async with limit:
            await found.visit(lambda info: _follow(call, info))
    except TimeoutError:
        raise CommandError(watching.TIMED_OUT) from None


async def _follow(call: Call, info: Info) -> None:
    rollout_progress.check_kind(info.resource.group, info.resource.kind)

    def is_over(event: str, obj: Object) -> bool:
        if event == "DELETED":
            raise CommandError("object has been deleted")
        progress = rollout_progress.progress(obj, call.flags["revision"])
        call.write(progress.text)
        call.streams.flush()
        return progress.done or not call.flags["watch"]

    await watching.until(call, info.resource.path(info.namespace), info.name, is_over)
