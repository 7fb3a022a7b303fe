"""`kubectl config use-context`."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.config import arguments
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError

FLAGS: tuple[Flag, ...] = ()
USAGE = "CONTEXT_NAME"
HELP = "Make another context the current one."
EXAMPLES = """
{program} config use-context minikube
"""


async def run(call: Call) -> None:
    (name,) = arguments.exactly(call, 1)
    files = ConfigFiles(call.flags, call.environment)
    if files.body("contexts", name) is None:
        raise CommandError(f'no context exists with the name: "{name}"')
    files.set_current(name)
    call.print(f'Switched to context "{name}".')
