"""Which IPAddresses are made, made anew, or taken away."""

import pytest

from steersman.api import ip_addresses, kinds
from steersman.controllers.decision import Create, Delete, Emit
from steersman.controllers.ip_address import decide
from steersman.controllers.ip_address.decide import Seen
from tests.controllers import paper, shapes

OLD, FRESH = "2026-01-01T11:00:00Z", "2026-01-01T11:59:50Z"


def service(name="web", created=OLD):
    found = shapes.service(name, clusterIP="10.96.0.5", clusterIPs=["10.96.0.5"])
    found["metadata"]["creationTimestamp"] = created
    return found


def address(of="web", created=OLD, **labels):
    found = ip_addresses.make(service(of), "10.96.0.5")
    found["metadata"] |= {"uid": "u", "creationTimestamp": created}
    found["metadata"]["labels"] |= labels
    return found


FOREIGN = {ip_addresses.MANAGED_BY_LABEL: "me"}

CASES = [
    pytest.param([service()], address(), True, [], id="right"),
    pytest.param([service()], None, True, [Create], id="missing"),
    pytest.param([service()], address("other"), True, [Delete, Create], id="names another"),
    pytest.param([service()], address(**FOREIGN), True, [Delete, Create], id="without its label"),
    pytest.param([service(), service("two")], address("two"), True, [Emit], id="two have it: the named one keeps it"),
    pytest.param([service()], address(), False, [Emit], id="in no range"),
    pytest.param([], address(), True, [Delete], id="leaked"),
    pytest.param([], address(created=FRESH), True, [], id="perhaps its Service is still to come"),
    pytest.param([], address(**FOREIGN), True, [], id="somebody else's"),
]


@pytest.mark.parametrize(("services", "found", "in_range", "expected"), CASES)
def test_decisions(services, found, in_range, expected):
    decision = decide.decide(Seen("10.96.0.5", services, found, in_range, shapes.NOW))
    assert [type(action) for action in decision.actions] == expected


def test_a_story():
    async def story():
        async with paper.cluster(watch_delay_seconds=0.2) as cluster:
            made = await cluster.create(kinds.SERVICE, shapes.service())
            text = made["spec"]["clusterIP"]
            await cluster.settle()
            await cluster.delete(kinds.IP_ADDRESS, text)
            await cluster.settle()
            again = await cluster.get(kinds.IP_ADDRESS, text)
            assert again["spec"]["parentRef"]["name"] == "web"
            assert await cluster.events("ClusterIPNotAllocated") == [
                f"Cluster IP [IPv4]: {text} is not allocated; repairing"
            ]
            await cluster.create(
                kinds.SERVICE_CIDR,
                {"metadata": {"name": "more"}, "spec": {"cidrs": ["203.0.113.0/24"]}},
            )
            await cluster.settle()
            await cluster.create(kinds.SERVICE, shapes.service("far", clusterIP="203.0.113.7"))
            await cluster.delete(kinds.SERVICE_CIDR, "more")
            await cluster.settle()
            assert "deletionTimestamp" in (await cluster.get(kinds.SERVICE_CIDR, "more"))["metadata"]
            await cluster.delete(kinds.SERVICE, "far")
            await cluster.settle()
            assert [one["metadata"]["name"] for one in await cluster.all(kinds.SERVICE_CIDR)] == ["kubernetes"]

    paper.run(story)
