"""The same packets in IPv6: pods, Services, node ports, host ports and policies of a cluster with two families."""

import contextlib
import pathlib

import pytest

from steersman.network import libnftables
from steersman.network.policy import decide as policies
from steersman.network.policy import layout as filter_layout
from steersman.proxy import layout, nftables, rule_set, rules
from tests.network import lab
from tests.proxy.builders import endpoint, endpoint_slice, port, service

pytestmark = [pytest.mark.root, pytest.mark.slow]

VIP = "fd00:10:96::5"


def program(node: str, *pods: lab.Pod) -> rules.Elements:
    """Of one Service with a node port and affinity off."""
    current = rule_set.RuleSet(rules.Place(node, family="IPv6"))
    members = [endpoint(pod.six, "node-1") for pod in pods]
    found = endpoint_slice(*members, number=80) | {"addressType": "IPv6"}
    both = service("web", VIP, port(node_port=30080), type="NodePort", clusterIPs=[VIP])
    current.update("d/web", both, [found], rule_set.Change())
    return current.elements


async def test_packets_of_both_families(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path, with_six=True) as here, contextlib.AsyncExitStack() as stack:
        one, two = await here.add_node(1), await here.add_node(2)
        here.connect([one, two])
        near = await here.add_pod(
            one, "near", [lab.PortMapping(80, 8080), lab.PortMapping(80, 8081, "TCP", "127.0.0.1")]
        )
        far = await here.add_pod(two, "far")
        assert (near.address, near.six) == ("10.244.1.2", "fd00:10:244:1::2")
        for pod in (near, far):
            await here.serve_tcp(pod.namespace, 80, pod.name)
        assert await lab.ask_tcp(far.namespace, near.six, 80) == ("near", far.six)
        assert (await lab.ask_tcp(here.host, near.six, 80))[0] == "near"
        for address in (one.link.six[0], one.address):
            assert (await lab.ask_tcp(far.namespace, address, 8080))[0] == "near"
        for node, namespace in ((one, one.namespace), (two, two.namespace), (None, here.host)):
            table = layout.Table(nftables.TABLE, "fd00:10:244::/56", "IPv6", own=node is not None)
            backend = nftables.Nftables(namespace, table=table)
            stack.callback(backend.close)
            backend.replace(program(node.name if node else "", near))
        for namespace in (near.namespace, far.namespace, one.namespace, two.namespace, here.host):
            assert (await lab.ask_tcp(namespace, VIP, 80))[0] == "near"
            assert (await lab.ask_tcp(namespace, two.link.six[0], 30080))[0] == "near"
        with pytest.raises(ConnectionRefusedError):
            await lab.ask_tcp(far.namespace, VIP, 81)
        judged = policies.Pod("x", {}, (near.address, near.six), True, {})
        block = {"ipBlock": {"cidr": "fd00:10:244::/56", "except": [f"{far.six}/128"]}}
        spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [block]}]}
        policy = {"metadata": {"namespace": "x", "name": "p"}, "spec": spec}
        kernel = libnftables.Context(one.namespace)
        stack.callback(kernel.close)
        kernel.run(filter_layout.program(policies.decide([policy], [judged], {}, 6), 6))
        with pytest.raises(TimeoutError):
            await lab.ask_tcp(far.namespace, near.six, 80, wait_seconds=0.3)
        assert (await lab.ask_tcp(far.namespace, near.address, 80))[0] == "near"
