"""What this machine is to the others: its name and address; and whether it can be a node at all. Raises Refused where it cannot."""

import os
import socket
import urllib.parse

from steersman.cluster import machine, options, reach
from steersman.cluster.join import rules
from steersman.cluster.join.discovery import Refused

KUBELET_PORT = 10250


def check(runtime: str, *, runs_node: bool) -> None:
    """`runs_node`: it is one already, or what was left of one."""
    if os.geteuid() != 0:
        raise Refused("Only root can make this machine a node of another machine's cluster.")
    wanted = options.Options(nodes=2, runtime=runtime)  # more than one node: with nftables
    lacking = machine.missing(machine.look(), wanted)
    if lacking:
        raise Refused(lacking.partition(";")[0].rstrip(".") + ".")
    if not runs_node and _is_taken(KUBELET_PORT):
        raise Refused(f"Port {KUBELET_PORT} of this machine is in use: another kubelet runs here.")


def address(server: str, wanted: str) -> str:
    """The one on the way to `server`, or the one that was `wanted`."""
    if wanted and not reach.has_address(wanted):
        raise Refused(f"This machine does not have the address {wanted} that --node-ip names.")
    url = urllib.parse.urlsplit(server)
    found = wanted or reach.outward_address(url.hostname or "", url.port or 0)
    if not found:
        raise Refused(f"{server} cannot be reached: no route leads there from this machine, or its name is unknown.")
    if found == options.LOOPBACK:
        raise Refused(
            f"{server} is this machine itself: a cluster's own machine has its nodes from `steersman up --nodes N`."
        )
    return found


def name() -> str:
    """As hosts call it, as nodes are called."""
    try:
        return rules.check_name(socket.gethostname())
    except ValueError as problem:
        raise Refused(f"{problem}; give it a --node-name.") from problem


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.EVERYWHERE, port))
        except OSError:
            return True
    return False
