"""`kubectl config unset`."""

from steersman.kubectl import config_paths
from steersman.kubectl.call import Call
from steersman.kubectl.commands.config import arguments
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError

FLAGS: tuple[Flag, ...] = ()
USAGE = "PROPERTY_NAME"
HELP = "Take one property out of a kubeconfig: a field, an entry or a whole section."
EXAMPLES = """
{program} config unset contexts.foo.namespace
"""


async def run(call: Call) -> None:
    (path,) = arguments.exactly(call, 1)
    wanted = config_paths.parse(path)
    files = ConfigFiles(call.flags, call.environment)
    match wanted.section:
        case "current-context":
            files.set_current("")
        case "preferences":
            files.set_preferences({})
        case section if not wanted.name:
            files.clear(section)
        case section:
            body = files.body(section, wanted.name)
            if body is None and wanted.field:
                raise CommandError(f"current map key `{wanted.name}` is invalid")
            if body is not None:
                left = {key: value for key, value in body.items() if key != wanted.field}
                files.put(section, wanted.name, left if wanted.field else None)
    call.print(f'Property "{path}" unset.')
