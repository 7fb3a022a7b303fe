"""`kubectl attach`: this terminal on what a container's own process reads and writes."""

from steersman.kubectl import attaching, flags, remote, targets
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, UsageError

FLAGS = (
    targets.CONTAINER,
    targets.running_timeout(60.0),
    Flag("quiet", flags.BOOL, short="q", help="Say nothing but what the container says."),
    Flag("stdin", flags.BOOL, short="i", help="Pass standard input on to the container."),
    Flag("tty", flags.BOOL, short="t", help="Standard input is a terminal."),
)
USAGE = "(POD | TYPE/NAME) -c CONTAINER"
HELP = """Attach to a process that runs in a container already.
"""
EXAMPLES = """
# What a pod's default container writes from now on
{program} attach web-0

# Its terminal, if it has one
{program} attach web-0 -c main -it

# Whichever pod of a ReplicaSet is best
{program} attach rs/web
"""


async def run(call: Call) -> int:
    values, arguments = call.flags, call.arguments
    if values["pod-running-timeout"] <= 0:
        raise UsageError(targets.NO_TIME)
    if not arguments:
        raise CommandError("at least 1 argument is required for attach")
    if len(arguments) > 2:
        many = f"saw {len(arguments)}: [{' '.join(arguments)}]"
        raise CommandError(f"expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) {many}")
    obj = await targets.named(call, "/".join(arguments))
    pod = await targets.attachable(call, obj, values["pod-running-timeout"])
    phase = (pod.get("status") or {}).get("phase", "")
    if phase in attaching.COMPLETED:
        raise CommandError(f"cannot attach a container in a completed pod; current phase is {phase}")
    wanted = attaching.Wanted(
        stdin=values["stdin"],
        tty=values["tty"],
        quiet=values["quiet"],
        container=values["container"],
        command=call.command,
    )
    return remote.told(call.streams, await attaching.attach(call, pod, wanted))
