"""Ten thousand Services: every one of them answers, before and after changes. (How fast: `script/bench network`.)"""

import pathlib

import pytest

from steersman.network import libnftables, namespaces
from steersman.proxy import nftables, rule_set, rules
from tests.proxy.builders import endpoint, endpoint_slice, service

pytestmark = [pytest.mark.root, pytest.mark.slow]

SERVICES = 10_000


def update(current: rule_set.RuleSet, number: int, *lasts: int) -> rule_set.Change:
    change = rule_set.Change()
    members = [endpoint(f"10.{number // 200 + 1}.{number % 200}.{last}", "n2") for last in lasts]
    wanted = service(f"s{number}", f"10.96.{number // 250}.{number % 250 + 1}")
    current.update(f"d/s{number}", wanted, [endpoint_slice(*members, of=f"s{number}")], change)
    return change


def test_the_kernel_holds_what_ten_thousand_services_want(tmp_path: pathlib.Path):
    path = str(tmp_path / "net")
    namespaces.pin({"net": path})
    backend = nftables.Nftables(path)
    try:
        current = rule_set.RuleSet(rules.Place("n1"))
        for number in range(SERVICES):
            update(current, number, 1, 2, 3)
        backend.replace(current.elements)
        backend.apply(update(current, 17, 1, 2, 3, 4))
        backend.apply(update(current, 18, 1))
        backend.apply(update(current, 19))
        listing = libnftables.Context(path).run(f"list table ip {nftables.TABLE}")
    finally:
        backend.close()
        namespaces.unpin(path)
    assert listing.count(" : goto cluster-3") == SERVICES - 3
    assert "10.96.0.18 . tcp . 80 : goto cluster-4" in listing
    assert "10.96.0.19 . tcp . 80 : goto cluster-1" in listing
    assert "10.96.0.20 . tcp . 80 : goto refuse" in listing
    assert listing.count(" . 8080") == (SERVICES - 3) * 3 + 4 + 1
