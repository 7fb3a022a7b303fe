"""`create service nodeport`: a Service that every node listens for."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, services
from steersman.kubectl.flags import INT, Flag

FLAGS = (
    services.TCP,
    Flag("node-port", INT, help="The port of the nodes."),
    *sending.FLAGS,
)
USAGE = "NAME [--tcp=port:targetPort] [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    name, ports = sending.name_of(call), call.flags["tcp"]
    services.need_ports(ports)
    wanted = services.Wanted(name, sending.namespace_of(call), "NodePort", ports, node_port=call.flags["node-port"])
    await sending.send(
        call, services.generate(wanted), "services", failed="failed to create NodePort service: ", annotated=False
    )
