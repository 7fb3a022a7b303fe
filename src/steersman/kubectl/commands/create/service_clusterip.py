"""`create service clusterip`: a Service with an address inside the cluster, or headless."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, services
from steersman.kubectl.flags import Flag

FLAGS = (
    services.TCP,
    Flag("clusterip", help="Its address; None makes it headless."),
    *sending.FLAGS,
)
USAGE = "NAME [--tcp=<port>:<targetPort>] [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    name, ports, address = sending.name_of(call), call.flags["tcp"], call.flags["clusterip"]
    if address != "None":
        services.need_ports(ports)
    wanted = services.Wanted(name, sending.namespace_of(call), "ClusterIP", ports, cluster_ip=address)
    await sending.send(
        call, services.generate(wanted), "services", failed="failed to create ClusterIP service: ", annotated=False
    )
