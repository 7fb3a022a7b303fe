"""`kubectl config delete-user`."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.config import deleting
from steersman.kubectl.flags import Flag

FLAGS: tuple[Flag, ...] = ()
USAGE = "NAME"
HELP = "Delete a user from the kubeconfig."


async def run(call: Call) -> None:
    deleting.delete(call, "users")
