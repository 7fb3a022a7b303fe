"""For all tests: what runs only when asked for, and what runs one after the other."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# These tests change this machine (namespaces, links, control groups, ports): with several workers (-n) one of them runs them all.
ON_THE_MACHINE = tuple(
    f"tests/{place}"
    for place in (
        *("clients/", "conformance/", "containers/", "csi/", "ingress/", "kubelet/", "network/", "proxy/"),
        *("cluster/join/test_machines.py", "cluster/test_rootless.py"),
    )
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long sets, too (hours)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="a long set: --long runs it"))


class _OneForTheMachine(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        """Tests of one scope run in one worker. (xdist's own loadgroup does not work with pytest 9.2.)"""
        return "machine" if nodeid.startswith(ON_THE_MACHINE) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _OneForTheMachine(config, log)
