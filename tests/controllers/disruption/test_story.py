"""Disruption budgets beside all controllers, and the eviction subresource."""

from steersman.api import kinds
from steersman.api.custom import kinds as custom_kinds
from steersman.meta import conditions, objects, owners
from steersman.meta.errors import StatusError
from tests.apiserver.extensions import definitions
from tests.controllers import paper, shapes


def budget(**spec):
    meta = {"name": "b", "namespace": "default"}
    spec.setdefault("selector", {"matchLabels": {"app": "web"}})
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}


async def status(cluster):
    return (await cluster.get(kinds.POD_DISRUPTION_BUDGET, "b"))["status"]


async def evict(cluster, pod):
    name = objects.name(pod)
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    try:
        await cluster.client.create(kinds.POD, body, "default", subresource="eviction", name=name)
    except StatusError as refused:
        return refused.code
    return 201


def test_evictions_wait_for_replacements():
    async def story():
        async with paper.cluster() as cluster:
            cluster.nodes[0].start_seconds = 5.0
            await cluster.create(kinds.POD_DISRUPTION_BUDGET, budget(maxUnavailable=1))
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(3))
            await cluster.settle(8)
            assert (await status(cluster))["disruptionsAllowed"] == 1
            first, second, _ = await cluster.all(kinds.POD)
            assert [await evict(cluster, first), await evict(cluster, second)] == [201, 429]
            await cluster.settle(2)
            assert await evict(cluster, second) == 429  # its replacement is not ready yet
            await cluster.settle(8)
            found = await status(cluster)
            assert (found["currentHealthy"], found["expectedPods"], found["disruptionsAllowed"]) == (3, 3, 1)
            assert "disruptedPods" not in found
            assert await evict(cluster, second) == 201
            await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"replicas": 2}})
            await cluster.settle(10)
            assert (await status(cluster))["expectedPods"] == 2

    paper.run(story)


def test_owners_of_custom_kinds_are_asked_for_their_scale():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.CUSTOM_RESOURCE_DEFINITION, definitions.full())
            await cluster.settle(2)
            [row] = custom_kinds.of(await cluster.get(kinds.CUSTOM_RESOURCE_DEFINITION, definitions.NAME))
            owner = await cluster.client.create(row, definitions.crontab("c", replicas=4), "default")
            pod = {"apiVersion": "v1", "kind": "Pod", **shapes.template(app="web")}
            pod["metadata"] |= {"name": "p", "namespace": "default", "ownerReferences": [owners.make(owner)]}
            await cluster.create(kinds.POD, pod)
            await cluster.create(kinds.POD_DISRUPTION_BUDGET, budget(maxUnavailable="75%"))
            await cluster.settle()
            found = await status(cluster)
            assert (found["expectedPods"], found["desiredHealthy"], found["currentHealthy"]) == (4, 1, 1)

    paper.run(story)


def test_pods_of_jobs_have_no_scale():
    async def story():
        async with paper.cluster() as cluster:
            spec = {"template": {**shapes.template(app="web")}}
            spec["template"]["spec"]["restartPolicy"] = "Never"
            meta = {"name": "j", "namespace": "default"}
            await cluster.create(kinds.JOB, {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})
            await cluster.create(kinds.POD_DISRUPTION_BUDGET, budget(maxUnavailable=1))
            await cluster.settle()
            condition = conditions.get({"status": await status(cluster)}, "DisruptionAllowed")
            assert condition is not None
            assert condition["reason"] == "SyncFailed"
            assert condition["message"] == "jobs.batch does not implement the scale subresource"

    paper.run(story)
