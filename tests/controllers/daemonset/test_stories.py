"""DaemonSets against the real API server, in virtual time."""

import pytest

from steersman.api import kinds
from steersman.meta import objects
from tests.controllers import paper, shapes


def daemon_set(image="web:1", **spec):
    template = shapes.template(image)
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }


async def nodes(cluster):
    return sorted(pod["spec"].get("nodeName", "") for pod in await cluster.all(kinds.POD))


async def images(cluster):
    return {pod["spec"]["containers"][0]["image"] for pod in await cluster.all(kinds.POD)}


@pytest.mark.parametrize("delay", [0.0, 0.3], ids=["prompt", "late"])
def test_one_pod_on_every_node_also_on_new_ones(delay):
    async def story():
        async with paper.cluster(nodes=3, watch_delay_seconds=delay) as cluster:
            await cluster.create(kinds.DAEMON_SET, daemon_set())
            # A new node takes no pods before its taint is removed, and who sees late is in conflict with its kubelet for a while.
            await cluster.settle(20 if not delay else 60)
            assert await nodes(cluster) == ["node-1", "node-2", "node-3"]
            status = (await cluster.get(kinds.DAEMON_SET, "agent"))["status"]
            fields = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable")
            assert [status[field] for field in (*fields, "updatedNumberScheduled")] == [3] * 5
            assert status.get("numberUnavailable", 0) == 0
            [revision] = await cluster.all(kinds.CONTROLLER_REVISION)
            [pod, *_] = await cluster.all(kinds.POD)
            assert (
                objects.labels(pod)["controller-revision-hash"] == objects.labels(revision)["controller-revision-hash"]
            )
            assert objects.labels(pod)["pod-template-generation"] == "1"
            cluster.nodes.append(paper.Node("node-4"))
            await cluster.create(kinds.NODE, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-4"}})
            await cluster.settle(5 if not delay else 60)
            assert await nodes(cluster) == ["node-1", "node-2", "node-3", "node-4"]
            assert len(cluster.pods_ever) == 4

    paper.run(story)


def test_only_chosen_nodes():
    async def story():
        async with paper.cluster(nodes=2) as cluster:
            of = daemon_set()
            of["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
            await cluster.create(kinds.DAEMON_SET, of)
            await cluster.settle()
            assert await nodes(cluster) == []
            await cluster.patch(kinds.NODE, "node-2", {"metadata": {"labels": {"disk": "ssd"}}})
            await cluster.settle()
            assert await nodes(cluster) == ["node-2"]
            await cluster.patch(kinds.NODE, "node-2", {"metadata": {"labels": {"disk": None}}})
            await cluster.settle()
            assert await nodes(cluster) == []

    paper.run(story)


def test_a_rollout_takes_one_node_at_a_time_and_can_be_undone():
    async def story():
        async with paper.cluster(nodes=3) as cluster:
            await cluster.create(kinds.DAEMON_SET, daemon_set())
            await cluster.settle()
            cluster.steps.clear()
            await cluster.patch(kinds.DAEMON_SET, "agent", {"spec": {"template": shapes.template("web:2")}})
            await cluster.settle(10)
            assert await images(cluster) == {"web:2"}
            assert min(available for _, available in cluster.steps) >= 2
            assert max(alive for alive, _ in cluster.steps) <= 3
            status = (await cluster.get(kinds.DAEMON_SET, "agent"))["status"]
            assert (status["updatedNumberScheduled"], status["numberAvailable"]) == (3, 3)
            await cluster.patch(kinds.DAEMON_SET, "agent", {"spec": {"template": shapes.template("web:1")}})
            await cluster.settle(10)
            assert await images(cluster) == {"web:1"}
            assert sorted(one["revision"] for one in await cluster.all(kinds.CONTROLLER_REVISION)) == [2, 3]

    paper.run(story)


def test_a_rollout_by_surge_never_has_less():
    async def story():
        async with paper.cluster(nodes=3) as cluster:
            strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
            await cluster.create(kinds.DAEMON_SET, daemon_set(updateStrategy=strategy))
            await cluster.settle()
            cluster.steps.clear()
            await cluster.patch(kinds.DAEMON_SET, "agent", {"spec": {"template": shapes.template("web:2")}})
            await cluster.settle(15)
            assert await images(cluster) == {"web:2"}
            assert await nodes(cluster) == ["node-1", "node-2", "node-3"]
            assert min(available for _, available in cluster.steps) >= 3
            assert max(alive for alive, _ in cluster.steps) <= 4

    paper.run(story)


def test_outdated_pods_wait_to_be_deleted():
    async def story():
        async with paper.cluster(nodes=2) as cluster:
            await cluster.create(kinds.DAEMON_SET, daemon_set(updateStrategy={"type": "OnDelete"}))
            await cluster.settle()
            await cluster.patch(kinds.DAEMON_SET, "agent", {"spec": {"template": shapes.template("web:2")}})
            await cluster.settle()
            assert await images(cluster) == {"web:1"}
            for pod in await cluster.all(kinds.POD):
                await cluster.delete(kinds.POD, objects.name(pod))
            await cluster.settle()
            assert await images(cluster) == {"web:2"}

    paper.run(story)


def test_pods_that_end_are_replaced():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.DAEMON_SET, daemon_set())
            for phase, reason in (("Failed", "FailedDaemonPod"), ("Succeeded", "SucceededDaemonPod")):
                await cluster.settle()
                [pod] = await cluster.all(kinds.POD)
                name = objects.name(pod)
                await cluster.client.patch(
                    kinds.POD, name, "default", {"status": {"phase": phase}}, subresource="status"
                )
                await cluster.settle()
                [other] = await cluster.all(kinds.POD)
                assert objects.uid(other) != objects.uid(pod)
                assert len(await cluster.events(reason)) == 1

    paper.run(story)


@pytest.mark.parametrize("propagation", ["Foreground", "Background"])
def test_deleted_with_all_it_has(propagation):
    async def story():
        async with paper.cluster(nodes=2) as cluster:
            await cluster.create(kinds.DAEMON_SET, daemon_set())
            await cluster.settle()
            pods = len(cluster.pods_ever)
            await cluster.delete(kinds.DAEMON_SET, "agent", propagation=propagation)
            await cluster.settle(10)
            for kind in (kinds.DAEMON_SET, kinds.POD, kinds.CONTROLLER_REVISION):
                assert await cluster.all(kind) == []
            assert len(cluster.pods_ever) == pods

    paper.run(story)
