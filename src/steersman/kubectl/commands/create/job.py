"""`create job`: from an image and a command, or from the template of a CronJob."""

from collections.abc import Sequence

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

_MANUALLY = "cronjob.kubernetes.io/instantiate"

FLAGS = (
    Flag("image", help="The image to run."),
    Flag("from", help="What to make the job from (only cronjob/NAME)."),
    *sending.FLAGS,
)
USAGE = "NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...]"


async def run(call: Call) -> None:
    name, command = sending.name_and_command(call)
    image, source = call.flags["image"], call.flags["from"]
    if bool(image) == bool(source):
        raise CommandError("either --image or --from must be specified")
    if command and source:
        raise CommandError("cannot specify --from and command")
    namespace = sending.namespace_of(call)
    obj = (
        generate(name, namespace, image, command)
        if image
        else from_cron_job(name, namespace, await _source(call, source))
    )
    await sending.send(call, obj, "jobs.batch", failed="failed to create job: ")


async def _source(call: Call, source: str) -> Object:
    from steersman.kubectl import builder

    found = await (await builder.find(call, builder.from_flags(call, arguments=(source,)))).infos()
    if len(found) != 1:
        raise CommandError("from must be an existing cronjob")
    obj = found[0].object
    if obj.get("kind") != "CronJob":
        raise CommandError(f"unknown object type {sending.go_type(obj)}")
    return obj


def generate(name: str, namespace: str, image: str, command: Sequence[str]) -> Object:
    pod = {"containers": [typed.container(name, image, command)], "restartPolicy": "Never"}
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "metadata": typed.metadata(name, namespace),
        "spec": {"template": {"metadata": typed.metadata(), "spec": pod}},
        "status": {},
    }


def from_cron_job(name: str, namespace: str, cron_job: Object) -> Object:
    template = cron_job["spec"]["jobTemplate"]
    meta = template.get("metadata") or {}
    annotations = {_MANUALLY: "manual", **(meta.get("annotations") or {})}
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": cron_job["metadata"]["name"],
        "uid": cron_job["metadata"]["uid"],
        "controller": True,
    }
    mine = typed.metadata(name, namespace, labels=meta.get("labels"), annotations=annotations)
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "metadata": {**mine, "ownerReferences": [owner]},
        "spec": _typed_spec(template["spec"]),
        "status": {},
    }


def _typed_spec(spec: Object) -> Object:
    """With the zero that typed clients print in every metadata."""
    template = spec["template"]
    return {
        **spec,
        "template": {**template, "metadata": {"creationTimestamp": None, **(template.get("metadata") or {})}},
    }
