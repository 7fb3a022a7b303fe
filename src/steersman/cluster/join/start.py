"""The supervisor of a machine that joined a cluster: one process, the node, and what a command line may ask of it."""

import functools
import logging
import os
import signal
from collections.abc import Callable

from steersman.aio.clock import SystemClock
from steersman.cluster import control, power, processes, start
from steersman.cluster.join import membership
from steersman.cluster.join.membership import Membership
from steersman.cluster.paths import Paths
from steersman.cluster.plan import Node
from steersman.cluster.supervisor import Supervisor
from steersman.containers.oci import host_mounts
from steersman.network import machine_network

log = logging.getLogger(__name__)

_PROCESS = "join.node"


def preload() -> None:
    start.preload(_PROCESS)


def supervise(where: Paths, of: Membership, on_started: Callable[[], None]) -> None:
    """Be a node until told to stop. Raises start.CannotStart."""
    logging.basicConfig(level=logging.INFO, format=processes.LOG_FORMAT)
    clock = SystemClock()
    lock = start.take_lock(where, clock)
    where.remember_data()
    start.allow_open_files()
    supervisor = Supervisor(clock, where.control_socket, where.logs)
    supervisor.add(of.node, lambda: _node(where, of), preload)
    supervisor.command("status", lambda _: {"processes": [start.with_memory(one) for one in supervisor.statistics()]})
    supervisor.command("node-stop", functools.partial(_cut, supervisor, where, of))
    supervisor.command("node-shutdown", functools.partial(_shut_down, supervisor, of))
    supervisor.command("node-start", functools.partial(_switch_on, supervisor, of))
    supervisor.run(on_started)
    dismantle(where, of, purge=supervisor.stop_message.get("purge") is True)
    os.close(lock)


def sweep_leftovers(where: Paths, of: Membership, *, purge: bool) -> bool:
    """After a kill of everything: end containers, take the cluster out of the machine's network. Whether there was anything."""
    if not any(where.run.glob("nodes/*")):
        return False
    lock = start.take_lock(where, SystemClock())
    dismantle(where, of, purge=purge)
    os.close(lock)
    return True


def dismantle(where: Paths, of: Membership, *, purge: bool) -> None:
    """Leave nothing of the node on this machine but its data. One step that fails does not keep the others from being done."""
    member = membership.member(where, of)
    number = of.cluster.network_number
    folders = [where.run / "nodes", *([where.data] if purge else [])]
    steps: list[Callable[[], object]] = [
        lambda: power.shut_down_machine(where, of.cluster.name, _node_of(of), of.runtime),
        lambda: machine_network.forget(number, member.dns_address),
        lambda: host_mounts.unmount_below(str(where.run)),
        lambda: host_mounts.unmount_below(str(where.data)),
        lambda: start.delete(folders),
    ]
    failed = False
    for step in steps:
        try:
            step()
        except Exception:
            log.exception("could not take everything down")
            failed = True
    if failed:
        raise SystemExit(f"Something is left of node {of.node}; see {where.logs / 'supervisor.log'}.")


def _node(where: Paths, of: Membership) -> None:
    from steersman.cluster.join import node

    processes.run(node.run(where, membership.load(where) or of))


def _node_of(of: Membership) -> Node:
    return Node(of.node, 0, of.address, "")


def _cut(supervisor: Supervisor, where: Paths, of: Membership, message: control.Message) -> control.Message:
    _check(of, message)
    supervisor.kill_child(of.node)
    power.cut(where, of.cluster.name, _node_of(of), of.runtime)
    return {"done": f"{of.node} has no power any more."}


def _shut_down(supervisor: Supervisor, of: Membership, message: control.Message) -> control.Message:
    """Only begins; `status` tells when the process has ended."""
    _check(of, message)
    supervisor.signal_child(of.node, signal.SIGPWR)
    return {"done": f"{of.node} shuts down."}


def _switch_on(supervisor: Supervisor, of: Membership, message: control.Message) -> control.Message:
    _check(of, message)
    supervisor.start_child(of.node)
    return {"done": f"{of.node} is switched on."}


def _check(of: Membership, message: control.Message) -> None:
    """Raises ValueError."""
    if message.get("node") != of.node:
        raise ValueError(f"no such node on this machine: {message.get('node')} (this machine is {of.node})")
