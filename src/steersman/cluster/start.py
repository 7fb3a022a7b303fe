"""From a set of options to a running cluster: what the supervisor does between its lock and its first child.

Order matters. The API server's socket on 127.0.0.1 is opened before a user namespace is entered (its network namespace is
the user's own, where kubectl runs), and all sockets listen before any child starts: whoever connects early waits in the
backlog instead of trying again.
"""

import dataclasses
import errno
import fcntl
import functools
import importlib
import logging
import os
import pathlib
import resource
import shutil
import signal
import socket
from collections.abc import Callable, Mapping, Sequence

from steersman.aio import garbage
from steersman.aio.clock import SystemClock
from steersman.client import kubeconfig
from steersman.cluster import control, images, options, pki, plan, power, processes, reach, rootless
from steersman.cluster.join import membership
from steersman.cluster.options import Options
from steersman.cluster.paths import Paths
from steersman.cluster.plan import Node, Plan
from steersman.cluster.supervisor import Supervisor
from steersman.containers.images.build import NoBusybox
from steersman.containers.oci import host_mounts
from steersman.ingress import haproxy
from steersman.network import cluster_network, machine_network, namespaces
from steersman.serving import listeners

log = logging.getLogger(__name__)

LOCK_SECONDS_MAX = 15.0  # the last processes of a killed supervisor need a moment to notice
LOCK_POLL_SECONDS = 0.02
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_API, _CONTROL, _NODE, _FAKE = "api_process", "control_process", "node_process", "fake_process"


class CannotStart(Exception):
    """The cluster cannot start; the text says why and what to do."""


def preload(part: str = _API) -> None:
    """Import what a process needs before it is forked, so that all share it. The API server comes first: while it starts, the
    supervisor imports what the others need. Nothing of it is garbage: looking for some would cost a tenth."""
    with garbage.uncollected():
        importlib.import_module(f"steersman.cluster.{part}")


def supervise(wanted: Options, where: Paths, example_images: bool, on_started: Callable[[], None]) -> None:
    """Run the cluster until it is told to stop. Raises CannotStart."""
    logging.basicConfig(level=logging.INFO, format=processes.LOG_FORMAT)
    clock = SystemClock()
    lock = take_lock(where, clock)
    where.remember_data()
    allow_open_files()
    outside = _outside(wanted)
    sockets = [_listen(options.EVERYWHERE if wanted.listen == options.EVERYWHERE else options.LOOPBACK, wanted.port)]
    options.save(where.options, wanted)  # only now: until here they might have spoilt those of a cluster that runs
    network = _network(wanted, where)
    address = network.host_address if network else ""
    if network and wanted.network_number is None:
        wanted = dataclasses.replace(wanted, network_number=network.number)
        options.save(where.options, wanted)
    for one in _further_addresses(wanted, network):
        sockets.append(_listen(one, wanted.port))
    made = plan.make(wanted, where, address, clock.now(), outside)
    write_kubeconfig(made)
    if network and example_images:
        _load_examples(where)
    supervisor = Supervisor(clock, where.control_socket, where.logs)
    _add_processes(supervisor, made, network, sockets)
    supervisor.run(on_started)
    if network:
        _dismantle(made, network, supervisor.stop_message.get("purge") is True)
    os.close(lock)


def _outside(wanted: Options) -> str:
    try:
        found = reach.advertised(wanted)
    except reach.NoAddress as problem:
        raise CannotStart(str(problem)) from problem
    if found and not reach.has_address(found):
        raise CannotStart(
            f"This machine does not have the address {found}: machines send to it what is for pods here. Addresses that are "
            "forwarded to it belong into --tls-san."
        )
    return found


def _further_addresses(wanted: Options, network: cluster_network.ClusterNetwork | None) -> list[str]:
    """Beside the one that is there without any network: towards the nodes, and towards other machines."""
    own = [network.host_address, network.host_address_six] if network else []
    if wanted.listen == options.EVERYWHERE:
        own = own[1:]
    elif wanted.is_open():
        own.append(wanted.listen)
    return [one for one in own if one]


def allow_open_files() -> None:
    """As many as the machine lets us, for every process from here on: shells mostly start with 1,024, one watch or container
    needs a few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def take_lock(where: Paths, clock: SystemClock) -> int:
    """Children inherit it: it is free only when the last process of an earlier start is gone."""
    lock = os.open(where.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = clock.monotonic() + LOCK_SECONDS_MAX
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() > deadline:
                raise CannotStart(f"Processes of an earlier start still run in {where.data}.") from None
            clock.pause(LOCK_POLL_SECONDS)
        else:
            return lock


def write_kubeconfig(made: Plan) -> None:
    access = processes.access(made, pki.ADMIN, f"https://127.0.0.1:{made.options.port}")
    name = made.options.name
    kubeconfig.write(made.paths.kubeconfig, kubeconfig.build(name, access, user=f"{name}-admin"))


def sweep_leftovers(where: Paths, purge: bool) -> bool:
    """After a kill of everything, and with no wish to start again: end containers, remove links. Whether there were any."""
    wanted = options.load(where.options)
    if wanted is None or not wanted.has_network() or (wanted.has_real_nodes() and not any(where.run.glob("nodes/*"))):
        return False
    clock = SystemClock()
    lock = take_lock(where, clock)
    network = _network(wanted, where)
    assert network is not None, "it has one"
    _dismantle(plan.make(wanted, where, network.host_address, clock.now()), network, purge)
    os.close(lock)
    return True


def _listen(address: str, port: int) -> socket.socket:
    try:
        return listeners.tcp(address, port)
    except OSError as problem:
        another = "--listen" if problem.errno == errno.EADDRNOTAVAIL else "--port"
        raise CannotStart(
            f"Cannot listen on {address}:{port} ({problem.strerror}); choose another {another}."
        ) from problem


def _network(wanted: Options, where: Paths) -> cluster_network.ClusterNetwork | None:
    """The host's side of the network; without root inside the cluster's user namespace. None when all nodes are on paper."""
    if not wanted.has_network():
        return None
    if os.geteuid() != 0:
        rootless.enter(where.namespace_holder)
    network = cluster_network.ClusterNetwork(
        wanted.name,
        where.run,
        wanted.network_number,
        with_six="IPv6" in wanted.families,
        avoided=options.network_numbers(where.others()) | membership.network_numbers(where.others()),
    )
    try:
        network.ensure_host()
    except cluster_network.NetworksExhausted as problem:
        raise CannotStart(f"{problem}.") from problem
    return network


def _load_examples(where: Paths) -> None:
    try:
        images.load_examples(where)
    except NoBusybox as problem:
        log.warning("no example images: %s", problem)


def _add_processes(
    supervisor: Supervisor, made: Plan, network: cluster_network.ClusterNetwork | None, sockets: list[socket.socket]
) -> None:
    fake_listener = listeners.tcp("127.0.0.1", 0) if made.fake_nodes else None
    fake_port = fake_listener.getsockname()[1] if fake_listener else 0
    supervisor.add("apiserver", lambda: _api(made, sockets, fake_port))
    for node in made.nodes:
        assert network is not None, "real nodes have a network"
        path = network.ensure_node(node.index, node.name).namespace_path
        supervisor.add(node.name, functools.partial(_node, made, node, path), functools.partial(preload, _NODE))
    if fake_listener:
        supervisor.add("fake-nodes", lambda: _fake(made, fake_listener), functools.partial(preload, _FAKE))
    bridge = network.bridge if network else ""
    machine = _machine(made, network) if network and made.outside else None
    supervisor.add("controllers", lambda: _control(made, bridge, machine), functools.partial(preload, _CONTROL))
    supervisor.command("status", lambda _: {"processes": [with_memory(one) for one in supervisor.statistics()]})
    if network:
        supervisor.command("node-stop", lambda message: _stop_node(supervisor, made, network, message))
        supervisor.command("node-shutdown", lambda message: _shut_node_down(supervisor, made, message))
        supervisor.command("node-start", lambda message: _start_node(supervisor, made, network, message))


def _api(made: Plan, sockets: list[socket.socket], fake_port: int) -> None:
    from steersman.cluster import api_process

    processes.run(api_process.run(made, sockets, fake_port))


def _machine(made: Plan, network: cluster_network.ClusterNetwork) -> machine_network.Machine:
    return machine_network.Machine(network.number, made.outside, network.host_address, network.alias_of_overlay)


def _control(made: Plan, bridge: str, machine: machine_network.Machine | None) -> None:
    from steersman.cluster import control_process

    processes.run(control_process.run(made, bridge, machine))


def _node(made: Plan, node: Node, namespace: str) -> None:
    from steersman.cluster import node_process

    with namespaces.entered(namespace):
        processes.run(node_process.run(made, node, f"/proc/{os.getppid()}/ns/net"))


def _fake(made: Plan, listener: socket.socket) -> None:
    from steersman.cluster import fake_process

    processes.run(fake_process.run(made, listener))


def _stop_node(
    supervisor: Supervisor, made: Plan, network: cluster_network.ClusterNetwork, message: control.Message
) -> control.Message:
    name = _real_node(made, message)
    network.link_down(name)
    supervisor.kill_child(name)
    power.cut(
        made.paths, made.options.name, next(node for node in made.nodes if node.name == name), made.options.runtime
    )
    return {"done": f"{name} has no power any more."}


def _shut_node_down(supervisor: Supervisor, made: Plan, message: control.Message) -> control.Message:
    """Only begins; `status` tells when the process has ended, and `node-stop` does the rest."""
    name = _real_node(made, message)
    supervisor.signal_child(name, signal.SIGPWR)
    return {"done": f"{name} shuts down."}


def _start_node(
    supervisor: Supervisor, made: Plan, network: cluster_network.ClusterNetwork, message: control.Message
) -> control.Message:
    name = _real_node(made, message)
    if supervisor.take_back(name, signal.SIGUSR2):
        return {"done": f"{name} stays up: its shutdown is called off."}
    network.link_up(name)
    supervisor.start_child(name)
    return {"done": f"{name} is switched on."}


def _real_node(made: Plan, message: control.Message) -> str:
    names = [node.name for node in made.nodes]
    if message.get("node") not in names:
        raise ValueError(f"no such node on this machine: {message.get('node')} (there are {', '.join(names)})")
    return str(message["node"])


def _dismantle(made: Plan, network: cluster_network.ClusterNetwork, purge: bool) -> None:
    """Leave nothing of the nodes on this machine. One step that fails does not keep the others from being done."""
    steps: list[Callable[[], object]] = [
        lambda: power.shut_down(made.paths, made.options.name, made.nodes, made.options.runtime),
        lambda: haproxy.end(made.paths.ingress),
        network.remove,
        # What a failed shutdown left mounted would keep the folders from being deleted.
        lambda: host_mounts.unmount_below(str(made.paths.run)),
        lambda: host_mounts.unmount_below(str(made.paths.data)),
        # Here and not in the command line: without root, files may belong to ids that only exist in the user namespace.
        lambda: delete([made.paths.run / "nodes", made.paths.data] if purge else [made.paths.run / "nodes"]),
        lambda: rootless.release(made.paths.namespace_holder),
    ]
    failed = False
    for step in steps:
        try:
            step()
        except Exception:
            log.exception("could not take everything down")
            failed = True
    if failed:
        raise SystemExit(f"Something is left of cluster {made.options.name}; see {made.paths.logs / 'supervisor.log'}.")


def delete(folders: Sequence[pathlib.Path]) -> None:
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)


def with_memory(process: Mapping[str, object]) -> Mapping[str, object]:
    """Adds the memory that only this process uses, plus its share of what it shares (PSS), in bytes."""
    if process["pid"]:
        try:
            with open(f"/proc/{process['pid']}/smaps_rollup") as file:
                lines = [line.split() for line in file]
            process = {**process, "memoryBytes": next(int(line[1]) * 1024 for line in lines if line[0] == "Pss:")}
        except (OSError, StopIteration):
            pass  # it has just ended, or the kernel does not tell
    return process
