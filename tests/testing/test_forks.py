"""What a fork's parts know without having asked."""

import pytest

from steersman.meta import objects
from steersman.serving.messages import Request
from steersman.testing.cluster import AsyncCluster
from tests.testing.test_cluster import WEB, pod


@pytest.fixture
async def origin():
    async with AsyncCluster() as cluster:
        await cluster.client.apply(WEB)
        await cluster.client.wait("deployment/web", "Available")
        yield cluster


def all_caches(cluster):
    return [cache for caches in cluster._parts._caches.values() for cache in caches.all()]


async def difference(cluster):
    """Which caches hold something else than a list would give."""
    found = []
    for cache in all_caches(cluster):
        prefix = f"/{cache.kind.stored.group or 'core'}/{cache.kind.stored.plural}/"
        stored = {
            entry.key.removeprefix(prefix): entry.revision for entry in (await cluster._store.list(prefix)).entries
        }
        seen = {objects.key(obj): objects.revision(obj) for obj in cache.list()}
        if seen != {key: revision for key, revision in stored.items() if not cache._field_selector or key in seen}:
            found.append(cache.kind.resource)
    return found


async def check_caches(cluster):
    """Every cache of every part holds, in a moment, what a list would give."""
    for _ in range(500):
        if not (await difference(cluster)):
            return
        await cluster.clock.sleep(0.02)
    assert await difference(cluster) == []


async def requests(cluster):
    """How often the parts asked, by verb."""
    answer = await cluster._parts.client_of("reader", ("system:masters",)).request(Request("GET", "/metrics"))
    lines = [line for line in answer.body.decode().splitlines() if line.startswith("apiserver_request_total{")]
    return {
        verb: sum(int(line.split()[-1]) for line in lines if f'verb="{verb}"' in line) for verb in ("LIST", "WATCH")
    }


async def test_a_fork_lists_nothing_and_watches_what_changes(origin):
    async with origin.fork() as fork:
        assert (await requests(fork))["LIST"] == 2, "for its node and its service account, to be told ready"
        assert (await requests(fork))["WATCH"] < 10, "its node wrote its status and its lease"
        await check_caches(fork)
        await fork.client.apply(pod())
        await fork.client.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: new}}")
        await fork.client.delete("deployment/web")
        await fork.client.wait("pod/one", "Running")
        for found in await fork.client.list("pods", labels="app=web"):
            await fork.client.wait(f"pod/{found['metadata']['name']}", "Deleted")
        await check_caches(fork)
        assert (await requests(fork))["LIST"] < 10, "only the test itself"


async def test_what_the_origin_was_not_told_yet_its_fork_is_told(origin):
    with origin.faults.stale(resource=("pods", "configmaps")):
        await origin.client.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: unseen}}")
        await origin.client.delete("deployment/web")
        fork = origin.fork()
    async with fork:
        await check_caches(fork)
        assert all(cache.get("default/unseen") for cache in all_caches(fork) if cache.kind.plural == "configmaps")
        await fork.client.apply(pod())
        await fork.client.wait("pod/one", "Running")


async def test_caches_of_a_restored_cluster_know_nothing_of_what_was_undone(origin):
    before = origin.snapshot()
    await origin.client.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: undone}}")
    await origin.client.delete("deployment/web")
    await check_caches(origin)
    await origin.restore(before)
    await check_caches(origin)
    assert not any(cache.get("default/undone") for cache in all_caches(origin))
    await origin.restore(before)
    await check_caches(origin)
    await origin.client.wait("deployment/web", "Available")
