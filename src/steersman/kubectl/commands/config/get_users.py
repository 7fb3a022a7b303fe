"""`kubectl config get-users`."""

from steersman.kubectl import config_shape
from steersman.kubectl.call import Call
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag

FLAGS: tuple[Flag, ...] = ()
HELP = "List the users in the kubeconfig."


async def run(call: Call) -> None:
    config = ConfigFiles(call.flags, call.environment).merged
    call.write("".join(f"{name}\n" for name in ("NAME", *config_shape.names(config, "users"))))
