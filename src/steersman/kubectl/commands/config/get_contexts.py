"""`kubectl config get-contexts`."""

from steersman.kubectl import config_shape, flags, problems
from steersman.kubectl.call import Call
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag("no-headers", flags.BOOL, help="Print no headers."),
    Flag("output", short="o", help="Output format. One of: (name)."),
)
USAGE = "[(-o|--output=)name)]"
HELP = "List the contexts in the kubeconfig, or those that are named."
EXAMPLES = """
{program} config get-contexts -o name
"""


async def run(call: Call) -> None:
    output = call.flags["output"]
    if output not in ("", "name"):
        raise CommandError(
            f"--output {output} is not available in kubectl config get-contexts; resetting to default output format"
        )
    config = ConfigFiles(call.flags, call.environment).merged
    known = config_shape.names(config, "contexts")
    wanted = sorted(name for name in call.arguments if name in known) if call.arguments else known
    if output == "name":
        call.write("".join(f"{name}\n" for name in wanted))
    else:
        call.write(table(config, wanted, headers=not call.flags["no-headers"]))
    problems.raise_all([CommandError(f"context {name} not found") for name in call.arguments if name not in known])


def table(config: Object, names: list[str], *, headers: bool) -> str:
    writer = TabWriter()
    if headers:
        writer.row("CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE")
    for name in names:
        context = config_shape.find(config, "contexts", name) or {}
        mark = "*" if name == config["current-context"] else ""
        writer.row(mark, name, context.get("cluster", ""), context.get("user", ""), context.get("namespace", ""))
    return writer.flush()
