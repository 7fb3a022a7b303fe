"""Where other machines reach the API server: nowhere, unless somebody said so."""

import pytest

from steersman.cluster import machine, reach
from steersman.cluster.machine import Machine
from steersman.cluster.options import Options

ROOT = Machine(linux=True, root=True, user_namespaces=True, container_tool="crun", nftables=True)

ADVERTISED = {
    "nobody was asked in": (Options(), ""),
    "an address is told as it is": (Options(listen="192.0.2.7"), "192.0.2.7"),
    "what is said counts": (Options(listen="0.0.0.0", advertise_address="192.0.2.8"), "192.0.2.8"),
    "also beside an address": (Options(listen="192.0.2.7", advertise_address="192.0.2.8"), "192.0.2.8"),
}


@pytest.mark.parametrize(("options", "expect"), ADVERTISED.values(), ids=ADVERTISED.keys())
def test_advertised(options, expect):
    assert reach.advertised(options) == expect


def test_checks():
    assert reach.check_listen("0.0.0.0") == "0.0.0.0"
    assert reach.check_listen("127.0.0.2") == "127.0.0.1"
    assert reach.check_names(("a.example", "*.example.com", "fd00::1")) == ("a.example", "*.example.com", "fd00::1")
    assert reach.check_names(()) is None


@pytest.mark.parametrize("text", ["localhost", "1.2.3", "fd00::1"])
def test_no_addresses(text):
    with pytest.raises(ValueError, match="not an IPv4 address"):
        reach.check_listen(text)


@pytest.mark.parametrize("text", ["127.0.0.1", "0.0.0.0", "224.0.0.1"])
def test_nobody_could_use_them(text):
    with pytest.raises(ValueError, match="no address that another machine could use"):
        reach.check_advertise(text)


def test_no_names():
    with pytest.raises(ValueError, match="neither a host name nor an address"):
        reach.check_names(("a b",))


LACKING = {
    "root": (Machine(True, False, True, "crun", True), Options(listen="0.0.0.0"), "only a cluster that root started"),
    "nftables": (
        Machine(True, True, True, "crun", False),
        Options(listen="0.0.0.0"),
        "needs the Debian package nftables",
    ),
    "one family": (ROOT, Options(listen="0.0.0.0", ip_families="IPv4,IPv6"), "only a cluster of IPv4"),
}


@pytest.mark.parametrize(("here", "options", "said"), LACKING.values(), ids=LACKING.keys())
def test_what_several_machines_need(here, options, said):
    assert said in machine.missing(here, options)


def test_nothing_is_missing():
    assert machine.missing(ROOT, Options(listen="0.0.0.0")) == ""
