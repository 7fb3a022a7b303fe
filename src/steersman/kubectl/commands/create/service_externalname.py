"""`create service externalname`: a name of the cluster that stands for one outside."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, services
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError
from steersman.meta import names

FLAGS = (
    services.TCP,
    Flag("external-name", help="The name outside that it stands for."),
    *sending.FLAGS,
)
USAGE = "NAME --external-name external.name [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    sending.require(call, "external-name")
    name, outside = sending.name_of(call), call.flags["external-name"]
    if names.subdomain_errors(outside):
        raise CommandError(f"invalid service external name {outside}")
    wanted = services.Wanted(name, sending.namespace_of(call), "ExternalName", call.flags["tcp"], external_name=outside)
    await sending.send(
        call, services.generate(wanted), "services", failed="failed to create ExternalName service: ", annotated=False
    )
