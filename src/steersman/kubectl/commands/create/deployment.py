"""`create deployment`: pods of some images, a number of times."""

from collections.abc import Callable, Sequence

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.flags import INT, LIST, Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag("image", LIST, help="The image; several make a pod of several containers."),
    Flag("port", INT, -1, help="The port that the container listens at."),
    Flag("replicas", INT, 1, short="r", help="How many pods."),
    *sending.FLAGS,
)
USAGE = "NAME --image=image -- [COMMAND] [args...]"


async def run(call: Call) -> None:
    sending.require(call, "image")
    name, command = sending.name_and_command(call)
    obj = generate(name, sending.namespace_of(call), command, call.flags, sending.random_suffix(call))
    await sending.send(call, obj, "deployments.apps", failed="failed to create deployment: ")


def generate(
    name: str, namespace: str, command: Sequence[str], flags: Values, random_suffix: Callable[[], str]
) -> Object:
    """Raises CommandError."""
    if len(flags["image"]) > 1 and command:
        raise CommandError("cannot specify multiple --image options and command")
    labels = {"app": name}
    containers = [typed.container(container_name(image, random_suffix), image, command) for image in flags["image"]]
    if flags["port"] >= 0 and containers:
        first = containers[0]
        port = {"containerPort": flags["port"]} if flags["port"] else {"containerPort": 0}
        resources = first.pop("resources")
        containers[0] = {**first, "ports": [port], "resources": resources}
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": typed.metadata(name, namespace, labels=labels),
        "spec": {
            "replicas": flags["replicas"],
            "selector": {"matchLabels": labels},
            "template": {"metadata": typed.metadata(labels=labels), "spec": {"containers": containers}},
            "strategy": {},
        },
        "status": {},
    }


def container_name(image: str, random_suffix: Callable[[], str]) -> str:
    """The last part of the image's name; where letters must be changed for it, made unique."""
    name = image.rpartition("/")[2].partition(":")[0].partition("@")[0]
    if not set("_.") & set(name):
        return name
    return f"{name.replace('_', '-').replace('.', '-')}-{random_suffix()}"
