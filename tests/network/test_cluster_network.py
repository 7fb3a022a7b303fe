"""The network of a cluster comes up, is found again after a crash, and goes without a trace."""

import pathlib

import pytest

from steersman.network import cluster_network, libnftables, namespaces, netlink
from tests.network import lab

pytestmark = pytest.mark.root


def link_names() -> set[str]:
    with netlink.Netlink() as kernel:
        return {link.name for link in kernel.links()}


async def test_two_clusters_take_different_networks(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path):
        other = cluster_network.ClusterNetwork("other", tmp_path / "other")
        assert other.ensure_host() == "172.30.1.1"
        other.remove()
        assert "stm1" not in link_names()
        assert "stm0" in link_names()


async def test_a_network_that_the_machine_uses_already_is_left_alone(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path):
        with netlink.Netlink() as kernel:
            loopback = kernel.link("lo")
            assert loopback is not None
            kernel.set_up(loopback.index)
            kernel.add_address(loopback.index, "172.30.1.200/25")
            kernel.replace_route("172.30.2.0/23", index=loopback.index, scope="link")
        other = cluster_network.ClusterNetwork("other", tmp_path / "other")
        assert other.ensure_host() == "172.30.4.1"
        other.remove()


async def test_a_network_of_a_cluster_that_is_stopped_is_the_last_to_be_taken(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path):
        numbers = range(cluster_network.NETWORKS_MAX)
        for avoided, address in (({1, 2}, "172.30.3.1"), (set(numbers), "172.30.1.1")):
            other = cluster_network.ClusterNetwork("other", tmp_path / "other", avoided=avoided)
            assert other.ensure_host() == address
            other.remove()


async def test_a_later_process_finds_everything(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        node = await here.add_node(1)
        before = link_names()
        again = cluster_network.ClusterNetwork("lab", tmp_path)
        assert again.ensure_host() == here.network.host_address
        assert again.ensure_node(1, "node-1") == node.link
        assert link_names() == before
        await here.serve_tcp(node.namespace, 80, "still here")


async def test_a_node_whose_namespace_was_lost_is_connected_again(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        here.network.ensure_node(1, "n")
        namespaces.unpin(str(here.network.namespace_path("n")))
        link = here.network.ensure_node(1, "n")
        await here.serve_tcp(link.namespace_path, 80, "node")
        assert await lab.ask_tcp(here.host, link.address, 80) == ("node", link.gateway)


@pytest.mark.slow
async def test_a_link_can_be_cut_and_mended(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        node = await here.add_node(1)
        await here.serve_tcp(node.namespace, 80, "node")
        here.network.link_down("node-1")
        with pytest.raises(OSError):  # noqa: PT011 (no route, or nobody answers: both are a cut cable)
            await lab.ask_tcp(here.host, node.address, 80, wait_seconds=0.1)
        here.network.link_up("node-1")
        assert (await lab.ask_tcp(here.host, node.address, 80))[0] == "node"


async def test_nothing_is_left(tmp_path: pathlib.Path):
    host = str(tmp_path / "bare")
    namespaces.pin({"net": host})
    try:
        with namespaces.entered(host):
            before = link_names()
            network = cluster_network.ClusterNetwork("n", tmp_path / "run")
            network.ensure_host()
            network.ensure_node(1, "a")
            network.ensure_node(2, "b")
            network.remove_node("a")
            network.remove_node("a")
            for table in ("steersman-services", cluster_network.services_table(network.bridge)):
                libnftables.Context().run(f"add table ip {table}")
            cluster_network.ClusterNetwork("n", tmp_path / "run").remove()
            assert link_names() == before
            assert libnftables.Context().run("list ruleset") == ""
            with netlink.Netlink() as kernel:
                assert kernel.routes() == []
            assert list((tmp_path / "run" / "nodes").iterdir()) == []
    finally:
        namespaces.unpin(host)


FIREWALL = """
table ip filter {
chain INPUT { type filter hook input priority 0; policy drop; ct state established,related accept
}
chain FORWARD { type filter hook forward priority 0; policy drop; ct state established,related accept
}
chain OUTPUT { type filter hook output priority 0; policy accept;
}
}
"""


async def test_a_firewall_that_drops_everything_lets_the_cluster_through(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        firewall = libnftables.Context()
        firewall.run(FIREWALL)
        before = firewall.run("list table ip filter")
        for _ in range(2):  # a second start adds nothing
            here.network.ensure_host()
        assert firewall.run("list table ip filter").count('"stm0"') == 3
        one, two = await here.add_node(1), await here.add_node(2)
        await here.serve_tcp(here.host, 6443, "api")
        await here.serve_tcp(two.namespace, 80, "two")
        assert (await lab.ask_tcp(one.namespace, one.link.gateway, 6443))[0] == "api"
        assert (await lab.ask_tcp(one.namespace, two.address, 80))[0] == "two"
        here.network.remove()
        assert firewall.run("list table ip filter") == before
        firewall.close()


async def test_pods_packets_are_as_large_as_the_way_out_takes(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        outside = str(tmp_path / "outside")
        namespaces.pin({"net": outside})
        try:
            with netlink.Netlink(here.host) as kernel:
                kernel.add_veth(
                    "up", "02:00:00:00:00:01", "eth0", "02:00:00:00:00:02", peer_namespace=outside, mtu=1420
                )
                link = kernel.link("up")
                assert link is not None
                kernel.set_up(link.index)
                kernel.add_address(link.index, "192.168.9.2/24")
                with netlink.Netlink(outside) as far:
                    end = far.link("eth0")
                    assert end is not None
                    far.set_up(end.index)
                kernel.replace_route("0.0.0.0/0", gateway="192.168.9.1", index=link.index)
            node = await here.add_node(1)
            pod = await here.add_pod(node, "a")
            for namespace in (node.namespace, pod.namespace):
                with netlink.Netlink(namespace) as kernel:
                    eth0 = kernel.link("eth0")
                    assert eth0 is not None
                    assert eth0.mtu == 1420
        finally:
            namespaces.unpin(outside)
