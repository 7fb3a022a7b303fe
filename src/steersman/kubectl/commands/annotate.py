"""`kubectl annotate`."""

from steersman.kubectl import writes
from steersman.kubectl.call import Call
from steersman.kubectl.commands import pairs
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

# May always be overwritten: it says what was done last.
CHANGE_CAUSE = "kubernetes.io/change-cause"

FLAGS = pairs.flags("annotation", "kubectl-annotate")
USAGE = "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]"
HELP = """Update the annotations on one or more resources.

Values may be any text, JSON for instance. KEY- removes an annotation.
"""
EXAMPLES = """
# An annotation for the pod foo
{program} annotate pods foo description='my frontend'

# Another value
{program} annotate --overwrite pods foo description='my frontend running nginx'

# Without it again
{program} annotate pods foo description-
"""


async def run(call: Call) -> None:
    values = call.flags
    how = writes.dry_run(call)
    if values["list"] and values["output"]:
        raise CommandError("--list and --output may not be specified together")
    resources, given = pairs.split(call.arguments, "annotation")
    change = pairs.Change("annotation", *pairs.parse(given, "annotation"), values["resource-version"])
    pairs.check(values, change, resources, how, "rsrc")
    both = [key for key in change.remove if key in change.set]
    if both:
        raise CommandError(
            f"can not both modify and remove the following annotation(s) in the same command: {', '.join(both)}"
        )

    def refuse(obj: Object) -> None:
        there = (obj.get("metadata") or {}).get("annotations") or {}
        taken = [
            key for key in change.set if there.get(key, change.set[key]) != change.set[key] and key != CHANGE_CAUSE
        ]
        if taken:
            said = "; ".join(f"'{key}' already has a value ({there[key]})" for key in taken)
            raise CommandError(f"--overwrite is false but found the following declared annotation(s): {said}")

    await pairs.carry_out(call, change, resources, refuse=refuse, operation=lambda old, new: "annotated")
