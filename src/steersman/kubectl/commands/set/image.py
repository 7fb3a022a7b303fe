"""`set image`."""

from collections.abc import Mapping

from steersman.kubectl import record, writes
from steersman.kubectl.call import Call
from steersman.kubectl.commands import pairs
from steersman.kubectl.commands.set import updating
from steersman.kubectl.flags import Values
from steersman.kubectl.problems import CommandError, raise_all
from steersman.meta.objects import Object

FLAGS = (*updating.FLAGS, record.FLAG)
USAGE = "(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N"
HELP = "Update existing container images of resources: pods and what makes them. `*` stands for every container."
EXAMPLES = """
# Of one container
{program} set image deployment/nginx nginx=nginx:1.9.1

# Of every container of every daemon set
{program} set image daemonset --all *=nginx:1.9.1
"""


async def run(call: Call) -> None:
    how = writes.dry_run(call)
    resources, given = pairs.split(call.arguments, "image")
    images, _ = pairs.parse(given, "image", removable=False)
    infos = await updating.find(call, resources)
    check(call.flags, how, resources, images)
    missing: list[Exception] = []

    def change(obj: Object) -> None:
        spec = updating.pod_spec(obj)
        missing.extend(CommandError(f'unable to find container named "{name}"') for name in set_images(spec, images))

    update = updating.Update(change, "image updated", "failed to patch image update to pod template: ")
    await updating.update(call, infos, update)
    raise_all(missing)


def check(flags: Values, how: str, resources: list[str], images: Mapping[str, str]) -> None:
    """Raises all that is wrong."""
    wrong = []
    if flags["all"] and flags["selector"]:
        wrong.append("cannot set --all and --selector at the same time")
    if not resources and not flags["filename"] and not flags["kustomize"]:
        wrong.append(updating.NEEDS_RESOURCES)
    if not images:
        wrong.append("at least one image update is required")
    elif len(images) > 1 and "*" in images:
        wrong.append(
            "all containers are already specified by *, but saw more than one container_name=container_image pairs"
        )
    if flags["local"] and how == writes.SERVER:
        wrong.append(updating.NO_LOCAL_SERVER)
    raise_all([CommandError(text) for text in wrong])


def set_images(spec: Object, images: Mapping[str, str]) -> list[str]:
    """Change the containers; the names that none has."""
    missing = []
    for name, image in images.items():
        found = [one for one in updating.containers(spec) if name in ("*", one.get("name"))]
        for container in found:
            container["image"] = image
        if not found:
            missing.append(name)
    return missing
