"""A whole cluster in one process, for tests: `with Cluster(nodes=1) as cluster: …`."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steersman.containers.fake_behaviour import Behaviour, ExecAnswer
    from steersman.testing.cluster import AsyncCluster, Cluster
    from steersman.testing.fake_node import FakeNode
    from steersman.testing.faults import Fault
    from steersman.testing.waiting import NotSeen

__all__ = ["AsyncCluster", "Behaviour", "Cluster", "ExecAnswer", "FakeNode", "Fault", "NotSeen", "load"]

_HOMES = {
    "AsyncCluster": "steersman.testing.cluster",
    "Behaviour": "steersman.containers.fake_behaviour",
    "Cluster": "steersman.testing.cluster",
    "ExecAnswer": "steersman.containers.fake_behaviour",
    "FakeNode": "steersman.testing.fake_node",
    "Fault": "steersman.testing.faults",
    "NotSeen": "steersman.testing.waiting",
}


def load(folder: str) -> "Cluster":
    """A saved cluster (`Cluster.save`, `pytest --steersman-save`), to be started."""
    from steersman.testing import cluster

    return cluster.Cluster.load(folder)


def __getattr__(name: str) -> Any:
    """Import on first use: pytest loads this package in every run, for the plugin."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(name)
