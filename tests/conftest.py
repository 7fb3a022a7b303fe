"""For all tests: what runs only when asked for, and what runs one after the other."""

import pathlib

import pytest

# Their tests change this machine (namespaces, links, control groups, ports): with several workers (-n) one of them runs them all.
ON_THE_MACHINE = {"clients", "conformance", "containers", "csi", "ingress", "kubelet", "network", "proxy"}
TESTS = pathlib.Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long sets, too (hours)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in ON_THE_MACHINE or item.get_closest_marker("root"):
            item.add_marker(pytest.mark.xdist_group("machine"))
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="a long set: --long runs it"))
