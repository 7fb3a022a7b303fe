"""`kubectl config current-context`."""

from steersman.kubectl.call import Call
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError

FLAGS: tuple[Flag, ...] = ()
HELP = "Print the name of the current context."


async def run(call: Call) -> None:
    name = ConfigFiles(call.flags, call.environment).merged["current-context"]
    if not name:
        raise CommandError("current-context is not set")
    call.print(name)
