"""Pods of two nodes reach each other, their nodes, the host, and nothing is left when they go."""

import asyncio
import contextlib
import errno
import pathlib

import pytest

from steersman.network import libnftables, namespaces, netlink, pod_network
from tests.network import lab

pytestmark = pytest.mark.root


def links(namespace: str) -> list[str]:
    with netlink.Netlink(namespace) as kernel:
        return sorted(link.name for link in kernel.links() if link.name.startswith("pod"))


async def test_pods_reach_each_other_their_node_the_other_node_and_the_host(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one, two = await here.add_node(1), await here.add_node(2)
        here.connect([one, two])
        first, neighbour = await here.add_pod(one, "first"), await here.add_pod(one, "neighbour")
        far = await here.add_pod(two, "far")
        assert [first.address, neighbour.address, far.address] == ["10.244.1.2", "10.244.1.3", "10.244.2.2"]
        for text, namespace in {
            "first": first.namespace,
            "neighbour": neighbour.namespace,
            "far": far.namespace,
            "node": one.namespace,
            "host": here.host,
        }.items():
            await here.serve_tcp(namespace, 80, text)

        gateway = one.link.gateway
        assert await lab.ask_tcp(first.namespace, neighbour.address, 80) == ("neighbour", first.address)
        assert await lab.ask_tcp(first.namespace, far.address, 80) == ("far", first.address)
        assert await lab.ask_tcp(first.namespace, "127.0.0.1", 80) == ("first", "127.0.0.1")
        assert await lab.ask_tcp(first.namespace, one.address, 80) == ("node", first.address)
        assert await lab.ask_tcp(first.namespace, gateway, 80) == ("host", one.address)  # masqueraded by its node
        assert await lab.ask_tcp(one.namespace, first.address, 80) == ("first", one.address)
        assert await lab.ask_tcp(two.namespace, first.address, 80) == ("first", two.address)
        assert await lab.ask_tcp(here.host, far.address, 80) == ("far", gateway)


async def test_an_address_without_a_pod_is_refused_at_once(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one = await here.add_node(1)
        here.connect([one])
        pod = await here.add_pod(one, "a")
        for namespace in (pod.namespace, here.host):
            with pytest.raises(OSError, match=str(errno.EHOSTUNREACH)):
                await lab.ask_tcp(namespace, "10.244.1.77", 80)


async def test_attach_is_idempotent_and_detach_gives_everything_back(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one = await here.add_node(1)
        pod = await here.add_pod(one, "a", [lab.PortMapping(80, 8080)])
        assert await one.pods.attach("a", pod.namespace, pod) == (pod.address,)
        assert links(one.namespace) == ["pod0af40102"]
        await one.pods.detach("a", pod.namespace)
        await one.pods.detach("a", pod.namespace)
        assert links(one.namespace) == []
        assert "10.244.1.2" not in libnftables.Context(one.namespace).run("list ruleset")
        with netlink.Netlink(one.namespace) as kernel:
            assert not [route for route in kernel.routes() if route.destination.endswith("/32")]


async def test_a_later_process_finds_what_an_earlier_one_attached(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one = await here.add_node(1)
        kept = await here.add_pod(one, "kept", [lab.PortMapping(80, 8080)])
        await here.add_pod(one, "gone", [lab.PortMapping(80, 9090)])
        with netlink.Netlink(one.namespace) as kernel:  # a crash between making a link and finishing it
            half = str(tmp_path / "half")
            namespaces.pin({"net": half})
            kernel.add_veth(
                "pod0af40163",
                "ee:ee:ee:ee:ee:ee",
                "eth0",
                "0a:58:0a:f4:01:63",
                peer_namespace=half,
                mtu=1500,
            )
            namespaces.unpin(half)
        later = pod_network.PodNetwork("10.244.1.0/24", state_dir=tmp_path, namespace=one.namespace)
        assert dict(later.addresses()) == {"kept": "10.244.1.2", "gone": "10.244.1.3"}
        await later.keep_only(["kept"])
        assert links(one.namespace) == ["pod0af40102"]
        rules = libnftables.Context(one.namespace).run("list ruleset")
        assert "tcp . 8080" in rules
        assert "tcp . 9090" not in rules
        assert await later.attach("kept", kept.namespace, kept) == (kept.address,)
        later.close()


async def test_addresses_go_round_before_one_is_used_again(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one = await here.add_node(1)
        for name in ("a", "b", "c"):
            pod = await here.add_pod(one, name)
            await one.pods.detach(name, pod.namespace)
        assert (await here.add_pod(one, "d")).address == "10.244.1.5"


async def test_a_pod_that_cannot_be_attached_keeps_no_address(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one = await here.add_node(1)
        with pytest.raises(FileNotFoundError):
            await one.pods.attach("a", str(tmp_path / "nowhere"), lab.Pod("a", ""))
        assert dict(one.pods.addresses()) == {}
        assert links(one.namespace) == []


async def test_many_at_once_get_addresses_of_their_own(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one = await here.add_node(1)
        pods = await asyncio.gather(*(here.add_pod(one, f"p{n}") for n in range(8)))
        assert len({pod.address for pod in pods}) == 8


async def test_host_ports_lead_to_the_pod(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one, two = await here.add_node(1), await here.add_node(2)
        here.connect([one, two])
        mappings = [
            lab.PortMapping(80, 8080),
            lab.PortMapping(80, 8081, "TCP", one.address),
            lab.PortMapping(53, 5353, "UDP"),
        ]
        mappings.append(lab.PortMapping(80, 8082, "TCP", "127.0.0.1"))
        pod = await here.add_pod(one, "a", mappings)
        far = await here.add_pod(two, "far")
        await here.serve_tcp(pod.namespace, 80, "a")
        await here.serve_udp(pod.namespace, 53, "udp")
        for namespace in (here.host, one.namespace, two.namespace, far.namespace, pod.namespace):
            assert (await lab.ask_tcp(namespace, one.address, 8080))[0] == "a"
        assert (await lab.ask_tcp(here.host, one.address, 8081))[0] == "a"
        for port in (8080, 8082):
            assert (await lab.ask_tcp(one.namespace, "127.0.0.1", port))[0] == "a"
        with pytest.raises(ConnectionRefusedError):
            await lab.ask_tcp(here.host, one.address, 8082)
        client = lab.UdpClient(here.host, one.address, 5353)
        with contextlib.closing(client):
            assert await client.ask() == "udp"
        with pytest.raises(ConnectionRefusedError):
            await lab.ask_tcp(here.host, two.address, 8080)


async def test_a_pod_speaks_with_its_own_address_only(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one = await here.add_node(1)
        honest, liar = await here.add_pod(one, "honest"), await here.add_pod(one, "liar")
        await here.serve_tcp(honest.namespace, 80, "honest")
        assert (await lab.ask_tcp(liar.namespace, honest.address, 80)) == ("honest", liar.address)
        with netlink.Netlink(liar.namespace) as kernel:
            link = kernel.link("eth0")
            assert link is not None
            kernel.add_address(link.index, "10.244.1.77/32")
            kernel.replace_route(
                "0.0.0.0/0", gateway="169.254.1.1", index=link.index, onlink=True, source="10.244.1.77"
            )
        with pytest.raises(TimeoutError):
            await lab.ask_tcp(liar.namespace, honest.address, 80, wait_seconds=0.2)
