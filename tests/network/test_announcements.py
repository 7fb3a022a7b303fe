"""Addresses of load balancers: on the right link, told to neighbours, taken away again."""

import pathlib

import pytest

from steersman.meta.objects import Object
from steersman.network import announcements, namespaces, netlink
from tests.network import lab

pytestmark = [pytest.mark.root, pytest.mark.slow]


def balancer(*addresses: str, mode: str = "VIP", **spec: object) -> Object:
    ingress = [{"ip": one, "ipMode": mode} for one in addresses]
    return {"spec": {"type": "LoadBalancer", **spec}, "status": {"loadBalancer": {"ingress": ingress}}}


def test_what_is_announced():
    services: list[Object] = [
        balancer("10.0.0.1", "fd00::0:1"),
        balancer("10.0.0.2", mode="Proxy"),
        balancer("10.0.0.3", loadBalancerClass="example.com/other"),
        balancer("172.30.0.2"),
        {"spec": {"type": "ClusterIP"}},
    ]
    assert announcements.wanted(services, {"172.30.0.2"}) == {"10.0.0.1", "fd00::1"}


class Link:
    """The host's link to a neighbour."""

    def __init__(self, here: lab.Lab, folder: pathlib.Path) -> None:
        self.neighbour = str(folder / "neighbour")
        namespaces.pin({"net": self.neighbour})
        with netlink.Netlink(here.host) as kernel, netlink.Netlink(self.neighbour) as outside:
            kernel.add_veth(
                "lan", "02:00:00:00:00:01", "eth0", "02:00:00:00:00:02", peer_namespace=self.neighbour, mtu=1500
            )
            for side, name, last in ((kernel, "lan", 1), (outside, "eth0", 2)):
                link = side.link(name)
                assert link is not None
                side.set_up(link.index)
                side.add_address(link.index, f"192.168.77.{last}/24")
                side.add_address(link.index, f"fd77::{last}/64")

    def close(self) -> None:
        namespaces.unpin(self.neighbour)


def held(namespace: str) -> set[str]:
    with netlink.Netlink(namespace) as kernel:
        links = {link.index: link.name for link in kernel.links()}
        return {
            f"{links[one.index]} {one.text}"
            for version in (4, 6)
            for one in kernel.addresses(version)
            if one.protocol == netlink.PROTOCOL_STEERSMAN
        }


async def test_a_neighbour_finds_an_address_and_is_told_when_it_moves(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        link = Link(here, tmp_path)
        try:
            bridge = here.network.bridge
            lost_node = "172.30.0.9"
            new = announcements.apply({"192.168.77.50", "fd77::50", "10.9.9.9", lost_node}, bridge)
            assert held(here.host) == {"lan 192.168.77.50/32", "lan fd77::50/128", "lo 10.9.9.9/32"}
            await here.serve_tcp(here.host, 80, "host")
            assert (await lab.ask_tcp(link.neighbour, "192.168.77.50", 80))[0] == "host"
            with netlink.Netlink(link.neighbour) as outside:
                eth0 = outside.link("eth0")
                assert eth0 is not None
                outside.replace_neighbour(eth0.index, "192.168.77.51", "02:00:00:00:00:99", permanent=False)
            new = announcements.apply({"192.168.77.51"}, bridge)
            assert held(here.host) == {"lan 192.168.77.51/32"}
            announcements.tell(new)
            assert (await lab.ask_tcp(link.neighbour, "192.168.77.51", 80))[0] == "host"
            announcements.forget()
            assert held(here.host) == set()
        finally:
            link.close()
