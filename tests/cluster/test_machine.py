"""What lacks is said in one sentence, with what to do."""

import pytest

from steersman.cluster import machine
from steersman.cluster.machine import Machine
from steersman.cluster.options import Options

GOOD = Machine(linux=True, root=False, user_namespaces=True, container_tool="/usr/bin/crun", nftables=True)


@pytest.mark.parametrize(
    ("found", "options", "words"),
    [
        (GOOD, Options(), ()),
        (Machine(True, False, True, "", True), Options(), ("package crun ", "apt-get install crun", "--fake-nodes")),
        (Machine(True, False, True, "", False), Options(nodes=2), ("packages crun nftables ", "--fake-nodes")),
        (Machine(True, False, True, "crun", False), Options(), ()),
        (Machine(True, False, False, "/usr/bin/crun", True), Options(), ("user namespaces", "--fake-nodes")),
        (Machine(True, True, True, "crun", True, ipv6=False), Options(), ()),
        (
            Machine(True, True, True, "crun", True, ipv6=False),
            Options(ip_families="IPv4,IPv6"),
            ("IPv6", "--ip-families"),
        ),
        (Machine(False, False, False, "", False), Options(), ("Linux", "--fake-nodes")),
        (Machine(False, False, False, "", False), Options(nodes=0, fake_nodes=3), ()),
        (Machine(False, False, False, "", False), Options(runtime="fake"), ()),
    ],
    ids=[
        "all there",
        "no crun",
        "no crun, no nftables",
        "no nftables, one node",
        "no user namespaces",
        "no IPv6, not asked for",
        "no IPv6",
        "no linux",
        "only fake nodes",
        "fake runtime",
    ],
)
def test_missing(found, options, words):
    said = machine.missing(found, options)
    assert bool(said) == bool(words)
    assert all(word in said for word in words)


def test_what_works_less_well_is_said():
    without = Machine(True, True, True, "crun", False)
    assert "Without nftables" in machine.note(without, Options())
    assert machine.note(GOOD, Options()) == machine.note(without, Options(nodes=0, fake_nodes=1)) == ""
