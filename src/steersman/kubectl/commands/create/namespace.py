"""`create namespace`."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.meta.objects import Object

FLAGS = sending.FLAGS
USAGE = "NAME [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    await sending.send(call, generate(sending.name_of(call)), "namespaces")


def generate(name: str) -> Object:
    return {"kind": "Namespace", "apiVersion": "v1", "metadata": typed.metadata(name), "spec": {}, "status": {}}
