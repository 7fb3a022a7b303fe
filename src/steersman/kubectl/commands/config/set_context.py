"""`kubectl config set-context`."""

from steersman.kubectl import flags
from steersman.kubectl.call import Call
from steersman.kubectl.commands.config import arguments
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError

FLAGS = (
    Flag("cluster", help="The context's cluster."),
    Flag("current", flags.BOOL, help="Change the current context."),
    Flag("namespace", short="n", help="The context's namespace."),
    Flag("user", help="The context's user."),
)
USAGE = "[NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] [--namespace=namespace]"
HELP = "Write a context into the kubeconfig; of one that is there, only what is given changes."
EXAMPLES = """
{program} config set-context --current --namespace=backend
"""


async def run(call: Call) -> None:
    values = call.flags
    if len(call.arguments) > 1:
        raise arguments.unexpected(call)
    name = call.arguments[0] if call.arguments else ""
    if not name and not values["current"]:
        raise CommandError("you must specify a non-empty context name or --current")
    if name and values["current"]:
        raise CommandError("you cannot specify both a context name and --current")
    files = ConfigFiles(values, call.environment)
    if values["current"]:
        name = files.merged["current-context"]
        if not name:
            raise CommandError("no current context is set")
    body = files.body("contexts", name)
    given = {field: values[field] for field in ("cluster", "user", "namespace") if values.changed(field)}
    files.put("contexts", name, {**(body or {}), **given})
    call.print(f'Context "{name}" {"created" if body is None else "modified"}.')
