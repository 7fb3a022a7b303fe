"""`kubectl config rename-context`."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.config import arguments
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError

FLAGS: tuple[Flag, ...] = ()
USAGE = "CONTEXT_NAME NEW_NAME"
HELP = "Rename a context; the current one stays the current one."


async def run(call: Call) -> None:
    old, new = arguments.exactly(call, 2)
    files = ConfigFiles(call.flags, call.environment)
    body = files.body("contexts", old)
    if body is None:
        raise CommandError(f'cannot rename the context "{old}", it\'s not in {files.default}')
    if files.body("contexts", new) is not None:
        raise CommandError(f'cannot rename the context "{old}", the context "{new}" already exists in {files.default}')
    is_current = files.merged["current-context"] == old
    files.put("contexts", old, None)
    files.put("contexts", new, body)
    if is_current:
        files.set_current(new)
    call.print(f'Context "{old}" renamed to "{new}".')
