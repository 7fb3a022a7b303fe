"""`create cronjob`: a job of one image, again and again."""

from collections.abc import Sequence

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.flags import Flag, Values
from steersman.meta.objects import Object

FLAGS = (
    Flag("image", help="The image to run."),
    Flag("schedule", help="When, in cron's five fields."),
    Flag("restart", help="What happens to containers that end: OnFailure or Never."),
    *sending.FLAGS,
)
USAGE = "NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...] [flags]"


async def run(call: Call) -> None:
    sending.require(call, "image", "schedule")
    name, command = sending.name_and_command(call)
    obj = generate(name, sending.namespace_of(call), command, call.flags)
    await sending.send(call, obj, "cronjobs.batch", failed="failed to create cronjob: ")


def generate(name: str, namespace: str, command: Sequence[str], flags: Values) -> Object:
    pod = {
        "containers": [typed.container(name, flags["image"], command)],
        "restartPolicy": flags["restart"] or "OnFailure",
    }
    job = {"template": {"metadata": typed.metadata(), "spec": pod}}
    return {
        "kind": "CronJob",
        "apiVersion": "batch/v1",
        "metadata": typed.metadata(name, namespace),
        "spec": {"schedule": flags["schedule"], "jobTemplate": {"metadata": typed.metadata(name), "spec": job}},
        "status": {},
    }
