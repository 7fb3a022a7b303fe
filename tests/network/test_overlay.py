"""Machines on different links, with a router between: their pods reach each other all the same."""

import contextlib
import pathlib
import socket
import threading

import pytest

from steersman.network import libnftables, machine_network, namespaces, netlink, overlay, pod_network
from steersman.network.machine_network import Machine
from tests.network import lab

pytestmark = [pytest.mark.root, pytest.mark.slow]

LARGE = 300_000


def join(router: str, node: str, number: int) -> None:
    """`node` gets an `eth0` on a link of its own to the router."""
    with netlink.Netlink(router) as outer, netlink.Netlink(node) as inner:
        outer.add_veth(f"l{number}", f"02:00:00:00:00:{number}1", "eth0", f"02:00:00:00:00:{number}2",
                       peer_namespace=node, mtu=1500)  # fmt: skip
        for side, name, last in ((outer, f"l{number}", 1), (inner, "eth0", 2)):
            link = side.link(name)
            assert link is not None
            side.set_up(link.index)
            side.add_address(link.index, f"192.168.{number}.{last}/24")
        inner.replace_route("0.0.0.0/0", gateway=f"192.168.{number}.1")
    for path in (router, node):
        with namespaces.entered(path):
            namespaces.write_sysctl("net/ipv4/ip_forward", "1")


def machine(end: overlay.End) -> Machine:
    return Machine(0, end.address, end.ranges[0].removesuffix("/24"), "steersman:lab/machines")


async def test_pods_across_links(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here, contextlib.AsyncExitStack() as stack:
        ends, pods = {}, {}
        for number in (1, 2):
            path = str(tmp_path / f"node-{number}")
            namespaces.pin({"net": path})
            stack.callback(namespaces.unpin, path)
            join(here.host, path, number)
            ends[number] = path, overlay.End(f"192.168.{number}.2", (f"10.244.{number}.0/24",))
            network = pod_network.PodNetwork(
                f"10.244.{number}.0/24", state_dir=tmp_path, node_address=f"192.168.{number}.2", namespace=path
            )
            stack.callback(network.close)
            pod = str(tmp_path / f"pod-{number}")
            namespaces.pin({"net": pod})
            stack.callback(namespaces.unpin, pod)
            (address,) = await network.attach(f"p{number}", pod, lab.Pod(f"p{number}", pod))
            pods[number] = pod, address
            await here.serve_tcp(pod, 80, f"p{number}")
        for number, other in ((1, 2), (2, 1)):
            path, end = ends[number]
            remote = ends[other][1]
            for _ in range(2):  # twice: what is there is found
                machine_network.apply(machine(end), [remote], path)
        for number, other in ((1, 2), (2, 1)):
            name, seen = await lab.ask_tcp(pods[number][0], pods[other][1], 80)
            assert (name, seen) == (f"p{other}", pods[number][1])
        assert _carried(pods[1], pods[2]) == LARGE, "packets that must shrink to fit"
        machine_network.apply(machine(ends[1][1]), [], ends[1][0])
        with pytest.raises(OSError, match=r"Errno 113|Errno 101"):
            await lab.ask_tcp(ends[1][0], pods[2][1], 80, wait_seconds=1)


def _carried(source: tuple[str, str], target: tuple[str, str]) -> int:
    with namespaces.open_socket(target[0], socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("0.0.0.0", 5001))
        listener.listen()

        def send() -> None:
            with namespaces.open_socket(source[0], socket.AF_INET, socket.SOCK_STREAM) as channel:
                channel.connect((target[1], 5001))
                channel.sendall(bytes(LARGE))

        sender = threading.Thread(target=send)
        sender.start()
        connection, _ = listener.accept()
        received = 0
        with connection:
            while data := connection.recv(1 << 16):
                received += len(data)
        sender.join()
        return received


def test_nobody_reaches_a_machines_loopback_while_it_is_a_node(tmp_path, monkeypatch):
    path = str(tmp_path / "machine")
    namespaces.pin({"net": path})
    write, guarded = namespaces.write_sysctl, []

    def seen(name, value):
        if name.endswith("route_localnet"):
            context = libnftables.Context(path)
            guarded.append('ip daddr 127.0.0.0/8 iifname != "lo" drop' in context.run("list ruleset\n"))
            context.close()
        write(name, value)

    monkeypatch.setattr(namespaces, "write_sysctl", seen)
    try:
        with namespaces.entered(path):
            for _ in range(2):
                machine_network.prepare()
            machine_network.forget(0, "10.96.0.10")
            context = libnftables.Context()
            assert context.run("list ruleset\n") == ""
            context.close()
    finally:
        namespaces.unpin(path)
    assert guarded == [True, True, True]
