"""The owner graph is closed once quiet: whatever names owners has at least one that is there, and no finalizer of the garbage
collector is left on something that stays."""

from collections.abc import Iterator

from steersman.meta import objects, owners
from steersman.simulation.cluster import SimulatedCluster


def check_end(cluster: SimulatedCluster) -> Iterator[str]:
    everything = [obj for _, obj in cluster.history.world.everything()]
    alive = {objects.uid(obj) for obj in everything}
    for obj in everything:
        named = owners.of(obj)
        if named and not any(one["uid"] in alive for one in named):
            yield f"{obj['kind']} {objects.key(obj)} is owned by what is gone: {[one['name'] for one in named]}"
