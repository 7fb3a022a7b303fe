"""Quotas beside all controllers: counted, repaired, never exceeded."""

import pytest

from steersman.api import kinds
from steersman.meta import objects
from tests.controllers import paper, shapes


def quota(name="q", **hard):
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}


async def used(cluster, name="q"):
    return (await cluster.get(kinds.RESOURCE_QUOTA, name))["status"]["used"]


def test_a_quota_follows_the_life_of_a_namespace():
    async def story():
        async with paper.cluster() as cluster:
            hard = {"pods": "4", "count/deployments.apps": "1", "resourcequotas": "1", "services": "2"}
            await cluster.create(kinds.RESOURCE_QUOTA, quota(**hard))
            await cluster.settle(1)
            assert await used(cluster) == {
                "pods": "0", "count/deployments.apps": "0", "resourcequotas": "1", "services": "1",
            }  # fmt: skip
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(6))
            await cluster.settle()
            assert await used(cluster) == {
                "pods": "4", "count/deployments.apps": "1", "resourcequotas": "1", "services": "1",
            }  # fmt: skip
            [replica_set] = await cluster.all(kinds.REPLICA_SET)
            [failed] = [one for one in replica_set["status"]["conditions"] if one["type"] == "ReplicaFailure"]
            assert failed["message"].endswith("exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4")
            await cluster.patch(kinds.RESOURCE_QUOTA, "q", {"spec": {"hard": {"pods": "5"}}})
            await cluster.settle(70)
            assert (await used(cluster))["pods"] == "5"
            await cluster.delete(kinds.DEPLOYMENT, "web")
            await cluster.settle()
            assert (await used(cluster))["pods"] == "0"

    paper.run(story)


def test_a_wrong_count_is_repaired():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.RESOURCE_QUOTA, quota(pods="4"))
            await cluster.settle(1)
            broken = {"status": {"hard": {"pods": "4"}, "used": {"pods": "3"}}}
            await cluster.client.patch(kinds.RESOURCE_QUOTA, "q", "default", broken, subresource="status")
            await cluster.settle(301)
            assert await used(cluster) == {"pods": "0"}

    paper.run(story)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.3, 1.5])
def test_never_exceeded_whatever_the_caches_show(delay):
    """Pods come and go all the time, several Deployments want more than there may be, and every watch is late."""

    async def story():
        async with paper.cluster(watch_delay_seconds=delay) as cluster:
            await cluster.create(kinds.RESOURCE_QUOTA, quota(pods="5"))
            await cluster.settle(1 + 2 * delay)  # what has not been counted yet limits nothing
            for name in ("a", "b"):
                await cluster.create(kinds.DEPLOYMENT, shapes.deployment(4, name=name))
            for round_ in range(15):
                await cluster.settle(1)
                live = await cluster.all(kinds.POD)
                assert len(live) <= 5
                assert int((await used(cluster))["pods"]) >= len(live)
                for pod in live[: round_ % 3]:
                    await cluster.delete(kinds.POD, objects.name(pod))

    paper.run(story)
