"""A whole cluster in one process, for tests: `with Cluster(nodes=1) as cluster: …`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steersman.testing.cluster import AsyncCluster, Cluster
    from steersman.testing.waiting import NotSeen

__all__ = ["AsyncCluster", "Cluster", "NotSeen"]


def __getattr__(name: str) -> Any:
    """Import on first use: pytest loads this package in every run, for the plugin."""
    if name in ("AsyncCluster", "Cluster"):
        from steersman.testing import cluster

        return getattr(cluster, name)
    if name == "NotSeen":
        from steersman.testing import waiting

        return waiting.NotSeen
    raise AttributeError(name)
