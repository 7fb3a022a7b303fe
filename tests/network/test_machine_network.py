"""Which machine leads to which pods: follows from the Nodes alone."""

import pytest

from steersman.network import machine_network, netlink, overlay
from steersman.network.machine_network import Server
from steersman.network.overlay import End

SERVER = Server("192.0.2.1", "172.30.0.0/24", "10.244.0.0/16")
NODES = "172.30.0.0/24"


def node(name, address, *ranges, created="2026-01-01T00:00:00Z"):
    addresses = [{"type": "InternalIP", "address": address}] if address else []
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": {"podCIDRs": list(ranges)},
        "status": {"addresses": addresses},
    }


ONE, TWO = node("node1", "172.30.0.2", "10.244.0.0/24"), node("node2", "172.30.0.3", "10.244.1.0/24")
BETA, GAMMA = node("beta", "192.0.2.2", "10.244.64.0/24"), node("gamma", "198.51.100.3", "10.244.65.0/24")

CASES = {
    "the server's machine alone": ([ONE, TWO], "192.0.2.1", ()),
    "the server's machine": (
        [ONE, TWO, BETA, GAMMA],
        "192.0.2.1",
        (End("192.0.2.2", ("10.244.64.0/24",)), End("198.51.100.3", ("10.244.65.0/24",))),
    ),
    "a machine that joined": (
        [ONE, TWO, BETA, GAMMA],
        "192.0.2.2",
        (
            End("192.0.2.1", ("10.244.0.0/24", "10.244.1.0/24", NODES)),
            End("198.51.100.3", ("10.244.65.0/24",)),
        ),
    ),
    "before any node is known": ([], "192.0.2.2", (End("192.0.2.1", (NODES,)),)),
    "nodes without address or range": (
        [node("new", ""), node("newer", "192.0.2.9")],
        "192.0.2.2",
        (End("192.0.2.1", (NODES,)),),
    ),
    "of what is no pod's, and of no address, nothing": (
        [node("evil", "192.0.2.6", "0.0.0.0/0"), node("odd", "?", "10.244.66.0/24"), BETA],
        "192.0.2.1",
        (End("192.0.2.2", ("10.244.64.0/24",)),),
    ),
    "of two that claim a range the younger": (
        [BETA, node("later", "192.0.2.5", "10.244.64.0/24", created="2026-02-01T00:00:00Z")],
        "192.0.2.1",
        (End("192.0.2.5", ("10.244.64.0/24",)),),
    ),
}


@pytest.mark.parametrize(("nodes", "own", "expect"), CASES.values(), ids=CASES.keys())
def test_others(nodes, own, expect):
    assert machine_network.others(nodes, own, SERVER) == expect


def test_hardware_addresses_follow_from_addresses():
    assert End("192.0.2.1", ()).mac == "0e:73:c0:00:02:01"


class Kernel:
    """Has a device, and nothing else."""

    def __init__(self, _namespace):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def link(self, _name):
        return self

    def set_alias(self, *_):
        pass

    def routes(self):
        return ()

    index = 1


def test_a_machine_that_cannot_be_led_to_keeps_nobody_from_the_others(monkeypatch):
    led = []

    def lead(_kernel, _device, end, _source):
        if end.address == "0.0.0.0":
            raise OSError("no such machine")
        led.append(end.address)

    monkeypatch.setattr(netlink, "Netlink", Kernel)
    monkeypatch.setattr(machine_network, "link_of", lambda *_: None)
    monkeypatch.setattr(overlay, "ensure", lambda *_: Kernel(None))
    monkeypatch.setattr(overlay, "lead", lead)
    own = machine_network.Machine(0, "192.0.2.1", "10.244.0.0", "me")
    ends = [End(one, ("10.244.1.0/24",)) for one in ("0.0.0.0", "192.0.2.2")]
    with pytest.raises(OSError, match="no such machine"):
        machine_network.apply(own, ends)
    assert led == ["192.0.2.2"]
