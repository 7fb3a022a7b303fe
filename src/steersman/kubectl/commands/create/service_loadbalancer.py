"""`create service loadbalancer`: a Service with an address outside the cluster."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, services

FLAGS = (services.TCP, *sending.FLAGS)
USAGE = "NAME [--tcp=port:targetPort] [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    name, ports = sending.name_of(call), call.flags["tcp"]
    services.need_ports(ports)
    wanted = services.Wanted(name, sending.namespace_of(call), "LoadBalancer", ports)
    await sending.send(
        call, services.generate(wanted), "services", failed="failed to create LoadBalancer service: ", annotated=False
    )
