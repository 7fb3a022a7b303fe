"""`kubectl config set`."""

from steersman.kubectl import config_paths, flags
from steersman.kubectl.call import Call
from steersman.kubectl.commands.config import arguments
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError

FLAGS = (Flag("set-raw-bytes", flags.BOOL, help="The value of a *-data property is given as it is, not as base64."),)
USAGE = "PROPERTY_NAME PROPERTY_VALUE"
HELP = "Set one property of a kubeconfig: its name is made of names of fields and entries, separated by dots."
EXAMPLES = """
{program} config set clusters.my-cluster.server https://1.2.3.4
{program} config set contexts.my-context.namespace backend
"""


async def run(call: Call) -> None:
    path, value = arguments.exactly(call, 2)
    if not value:
        raise CommandError("you cannot use set to unset a property")
    if not path:
        raise CommandError("you must specify a property")
    wanted = config_paths.parse(path)
    files = ConfigFiles(call.flags, call.environment)
    match wanted.section:
        case "current-context":
            files.set_current(value)
        case "preferences":
            files.set_preferences({wanted.field: config_paths.value(wanted.field, value, raw=False)})
        case section:
            if not wanted.field:
                names = " ".join(f"{entry['name']}:…" for entry in files.merged[section] or [])
                raise CommandError(f"can't set a map to a value: map[{names}]")
            body = files.body(section, wanted.name) or {}
            changed = config_paths.changed(body, wanted.field, value, raw=call.flags["set-raw-bytes"])
            files.put(section, wanted.name, changed)
    call.print(f'Property "{path}" set.')
