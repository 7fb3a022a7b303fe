"""What a cluster tells machines that join it (ConfigMap kube-system/steersman-config), and what they keep of it. Pure."""

import dataclasses

import msgspec

from steersman.cluster.plan import Plan
from steersman.network import cluster_network
from steersman.network.machine_network import Server

KEY = "cluster.json"
FORMAT = 1  # counted up when machines of before could not work with it any more


class Unusable(ValueError):
    """The text is for the user."""


@dataclasses.dataclass(frozen=True, slots=True)
class Configuration:
    """`address` is the control plane's machine; all other addresses follow from `network_number`. `names` are the API server's,
    which no node can have."""

    format: int
    name: str
    address: str
    network_number: int
    kubernetes_version: str
    heartbeat_seconds: float
    names: tuple[str, ...] = ()

    @property
    def server(self) -> Server:
        number = self.network_number
        return Server(self.address, cluster_network.node_cidr(number), cluster_network.pod_cidr(number))

    @property
    def ranges(self) -> tuple[str, ...]:
        """What no machine of the cluster may use otherwise."""
        number = self.network_number
        networks = cluster_network.node_cidr, cluster_network.pod_cidr, cluster_network.service_cidr
        return tuple(network(number) for network in networks)


def of_plan(plan: Plan) -> dict[str, str]:
    """The ConfigMap's data; none where no other machine can reach the cluster."""
    if not plan.outside:
        return {}
    options = plan.options
    told = Configuration(
        FORMAT,
        options.name,
        plan.outside,
        options.network_number or 0,
        options.kubernetes_version,
        options.heartbeat_seconds,
        plan.api_server_names,
    )
    return {KEY: msgspec.json.encode(told).decode()}


def parse(data: dict[str, str]) -> Configuration:
    """Raises Unusable."""
    try:
        found = msgspec.json.decode(data.get(KEY, ""), type=Configuration)
    except msgspec.DecodeError as problem:
        raise Unusable(f"The cluster does not say what a machine must know to join it: {problem}.") from problem
    if found.format != FORMAT:
        raise Unusable("The cluster is run by another release of Steersman: install the same one on this machine.")
    return found
