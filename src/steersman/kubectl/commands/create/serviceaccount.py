"""`create serviceaccount`."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.meta.objects import Object

FLAGS = sending.FLAGS
USAGE = "NAME [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    obj = generate(sending.name_of(call), sending.namespace_of(call))
    await sending.send(call, obj, "serviceaccounts", failed="failed to create serviceaccount: ")


def generate(name: str, namespace: str) -> Object:
    return {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": typed.metadata(name, namespace)}
