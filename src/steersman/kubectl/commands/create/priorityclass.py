"""`create priorityclass`."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.flags import BOOL, INT, Flag, Values
from steersman.meta.objects import Object

FLAGS = (
    Flag("value", INT, help="The priority of its pods."),
    Flag("global-default", BOOL, help="Whether pods without a class are of this one."),
    Flag("description", help="What it is for, in words."),
    Flag(
        "preemption-policy", default="PreemptLowerPriority", help="Whether its pods drive out those of lower priority."
    ),
    *sending.FLAGS,
)
USAGE = "NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    obj = generate(sending.name_of(call), call.flags)
    await sending.send(call, obj, "priorityclasses.scheduling.k8s.io", failed="failed to create priorityclass: ")


def generate(name: str, flags: Values) -> Object:
    obj: Object = {
        "kind": "PriorityClass",
        "apiVersion": "scheduling.k8s.io/v1",
        "metadata": typed.metadata(name),
        "value": flags["value"],
    }
    if flags["global-default"]:
        obj["globalDefault"] = True
    if flags["description"]:
        obj["description"] = flags["description"]
    return {**obj, "preemptionPolicy": flags["preemption-policy"]}
