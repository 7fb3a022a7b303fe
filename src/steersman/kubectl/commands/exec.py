"""`kubectl exec`: a command in a container, with this terminal's streams and its exit code."""

from steersman.kubectl import files, flags, pods, remote, targets
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, UsageError

FLAGS = (
    targets.CONTAINER,
    Flag("filename", flags.LIST, short="f", help="A file that names what to run the command in."),
    targets.running_timeout(60.0),
    Flag("quiet", flags.BOOL, short="q", help="Say nothing but what the command says."),
    Flag("stdin", flags.BOOL, short="i", help="Pass standard input on to the command."),
    Flag("tty", flags.BOOL, short="t", help="Standard input is a terminal."),
)
USAGE = "(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]"
HELP = """Run a command in a container.
"""
EXAMPLES = """
# The date in the first container of a pod
{program} exec web-0 -- date

# A shell, in a certain container
{program} exec web-0 -c main -it -- sh

# In whichever pod of a Deployment is best
{program} exec deployment/web -- ls -l /srv

# Something to read for the command
{program} exec -i web-0 -- tee /tmp/notes < notes
"""
COMPLETED = ("Succeeded", "Failed")


async def run(call: Call) -> int:
    values = call.flags
    filenames = files.Filenames(tuple(values["filename"]))
    name, command = _name_and_command(call)
    if values["pod-running-timeout"] <= 0:
        raise UsageError(targets.NO_TIME)
    if not name and not filenames.given:
        raise CommandError("pod, type/name or --filename must be specified")
    if not command:
        raise CommandError("you must specify at least one command for the container")
    obj = await targets.named(call, name, filenames)
    pod = await targets.attachable(call, obj, values["pod-running-timeout"])
    phase = (pod.get("status") or {}).get("phase", "")
    if phase in COMPLETED:
        raise CommandError(f"cannot exec into a container in a completed pod; current phase is {phase}")
    container = values["container"]
    if not container:
        found, notice = pods.default_container(pod)
        container = found["name"]
        if not values["quiet"]:
            call.write_error(notice)
    raw = remote.is_raw(call, stdin=values["stdin"], tty=values["tty"], quiet=values["quiet"])
    place = remote.Place(pod, container, "exec", command)
    return remote.told(call.streams, await remote.run(call, place, stdin=values["stdin"], raw=raw))


def _name_and_command(call: Call) -> tuple[str, list[str]]:
    """What stands before `--` and after it."""
    arguments, before = call.arguments, call.before_dash
    name = arguments[0] if arguments and before != 0 else ""
    if before >= 0:
        return name, arguments[before:]
    if len(arguments) > 1 or (arguments and call.flags["filename"]):
        raise UsageError("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead")
    return name, []
