"""Watches are complete: once quiet, every cache of every part holds exactly what the store holds."""

from collections.abc import Iterator

from steersman.apiserver import keys
from steersman.client.cache import Cache
from steersman.meta import objects
from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.history import UNREAD


def check_end(cluster: SimulatedCluster) -> Iterator[str]:
    for part, caches in cluster.caches.items():
        for cache in caches.all():
            yield from _differences(cluster, part, cache)
    for node in cluster.nodes:
        if node.cache is not None:
            yield from _differences(cluster, node.name, node.cache, node.name)


def _differences(cluster: SimulatedCluster, part: str, cache: Cache, node: str = "") -> Iterator[str]:
    if keys.prefix(cache.kind) in UNREAD:
        return
    there = {
        key: objects.resource_version(obj)
        for key, obj in cluster.history.world.of(cache.kind).items()
        if not node or obj["spec"].get("nodeName") == node
    }
    seen = {key: objects.resource_version(obj) for key, obj in ((objects.key(obj), obj) for obj in cache.list())}
    for key in sorted(there.keys() | seen.keys()):
        if there.get(key) != seen.get(key):
            yield f"{part}: its cache has {cache.kind.singular} {key} at {seen.get(key)}, the store at {there.get(key)}"
