"""StatefulSets against the real API server, in virtual time."""

import pytest

from steersman.api import kinds
from steersman.meta import objects
from tests.controllers import paper, shapes


def stateful_set(replicas=3, image="web:1", **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "serviceName": "web",
            "selector": {"matchLabels": {"app": "web"}},
            "template": shapes.template(image),
            **spec,
        },
    }


async def by_name(cluster):
    return {objects.name(pod): pod for pod in await cluster.all(kinds.POD)}


async def images(cluster):
    found = await by_name(cluster)
    return {name: pod["spec"]["containers"][0]["image"] for name, pod in sorted(found.items())}


@pytest.mark.parametrize("delay", [0.0, 0.3], ids=["prompt", "late"])
def test_pods_come_and_go_in_order(delay):
    async def story():
        async with paper.cluster(watch_delay_seconds=delay) as cluster:
            cluster.nodes[0].start_seconds = 2.0
            await cluster.create(kinds.STATEFUL_SET, stateful_set())
            await cluster.settle(3 if not delay else 4)
            assert list(await by_name(cluster)) in (["web-0"], ["web-0", "web-1"])
            await cluster.settle(20)
            found = await by_name(cluster)
            assert sorted(found) == ["web-0", "web-1", "web-2"]
            last = found["web-2"]
            assert (last["spec"]["hostname"], last["spec"]["subdomain"]) == ("web-2", "web")
            assert objects.labels(last)["statefulset.kubernetes.io/pod-name"] == "web-2"
            assert objects.labels(last)["apps.kubernetes.io/pod-index"] == "2"
            status = (await cluster.get(kinds.STATEFUL_SET, "web"))["status"]
            assert objects.labels(last)["controller-revision-hash"] == status["currentRevision"]
            assert [status[field] for field in ("replicas", "readyReplicas", "availableReplicas")] == [3, 3, 3]
            assert await cluster.events("SuccessfulCreate") == [
                f"create Pod web-{number} in StatefulSet web successful" for number in range(3)
            ]
            await cluster.patch(kinds.STATEFUL_SET, "web", {"spec": {"replicas": 1}})
            await cluster.settle(20)
            assert list(await by_name(cluster)) == ["web-0"]
            assert len(cluster.pods_ever) == 3
            assert (await cluster.get(kinds.STATEFUL_SET, "web"))["status"]["replicas"] == 1

    paper.run(story)


def test_a_pod_comes_back_under_its_name():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.STATEFUL_SET, stateful_set())
            await cluster.settle()
            cluster.nodes[0].stop_seconds = 5.0
            old = objects.uid(await cluster.get(kinds.POD, "web-1"))
            await cluster.delete(kinds.POD, "web-1")
            for _ in range(20):  # never a second one beside it
                await cluster.settle(0.5)
                found = await by_name(cluster)
                assert len(found) <= 3
            assert objects.uid(found["web-1"]) != old
            await cluster.client.patch(
                kinds.POD, "web-0", "default", {"status": {"phase": "Failed"}}, subresource="status"
            )
            await cluster.settle(10)
            assert (await cluster.get(kinds.POD, "web-0"))["status"]["phase"] == "Running"

    paper.run(story)


def test_a_rollout_with_a_partition_and_back():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.STATEFUL_SET, stateful_set())
            await cluster.settle()
            first = (await cluster.get(kinds.STATEFUL_SET, "web"))["status"]["currentRevision"]
            cluster.steps.clear()
            strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
            change = {"spec": {"updateStrategy": strategy, "template": shapes.template("web:2")}}
            await cluster.patch(kinds.STATEFUL_SET, "web", change)
            await cluster.settle(10)
            assert list((await images(cluster)).values()) == ["web:1", "web:1", "web:2"]
            status = (await cluster.get(kinds.STATEFUL_SET, "web"))["status"]
            assert (status["currentRevision"], status["updatedReplicas"], status["currentReplicas"]) == (first, 1, 2)
            # below the partition a pod comes back as it was
            await cluster.delete(kinds.POD, "web-0")
            await cluster.settle()
            assert (await images(cluster))["web-0"] == "web:1"
            strategy["rollingUpdate"] = {"partition": 0}
            await cluster.patch(kinds.STATEFUL_SET, "web", {"spec": {"updateStrategy": strategy}})
            await cluster.settle(10)
            assert set((await images(cluster)).values()) == {"web:2"}
            assert min(available for _, available in cluster.steps) >= 2
            status = (await cluster.get(kinds.STATEFUL_SET, "web"))["status"]
            assert status["currentRevision"] == status["updateRevision"] != first
            # kubectl rollout undo: the first revision becomes the newest
            await cluster.patch(kinds.STATEFUL_SET, "web", {"spec": {"template": shapes.template("web:1")}})
            await cluster.settle(10)
            revisions = await cluster.all(kinds.CONTROLLER_REVISION)
            assert {objects.name(one): one["revision"] for one in revisions}[first] == 3
            assert len(revisions) == 2
            assert set((await images(cluster)).values()) == {"web:1"}

    paper.run(story)


def test_outdated_pods_wait_to_be_deleted():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.STATEFUL_SET, stateful_set(2, updateStrategy={"type": "OnDelete"}))
            await cluster.settle()
            await cluster.patch(kinds.STATEFUL_SET, "web", {"spec": {"template": shapes.template("web:2")}})
            await cluster.settle()
            assert list((await images(cluster)).values()) == ["web:1", "web:1"]
            await cluster.delete(kinds.POD, "web-0")
            await cluster.settle()
            assert list((await images(cluster)).values()) == ["web:2", "web:1"]

    paper.run(story)


def test_all_at_once_from_a_later_ordinal_and_history_is_kept_short():
    async def story():
        async with paper.cluster() as cluster:
            of = stateful_set(podManagementPolicy="Parallel", ordinals={"start": 5}, revisionHistoryLimit=1)
            await cluster.create(kinds.STATEFUL_SET, of)
            await cluster.settle(0.5)
            assert sorted(await by_name(cluster)) == ["web-5", "web-6", "web-7"]
            for number in range(2, 6):
                await cluster.patch(kinds.STATEFUL_SET, "web", {"spec": {"template": shapes.template(f"web:{number}")}})
                await cluster.settle(10)
            assert set((await images(cluster)).values()) == {"web:5"}
            assert sorted(one["revision"] for one in await cluster.all(kinds.CONTROLLER_REVISION)) == [4, 5]

    paper.run(story)


@pytest.mark.parametrize("propagation", ["Foreground", "Background"])
def test_deleted_with_all_it_has(propagation):
    async def story():
        async with paper.cluster(nodes=2) as cluster:
            await cluster.create(kinds.STATEFUL_SET, stateful_set())
            await cluster.settle()
            pods = len(cluster.pods_ever)
            await cluster.delete(kinds.STATEFUL_SET, "web", propagation=propagation)
            await cluster.settle(10)
            for kind in (kinds.STATEFUL_SET, kinds.POD, kinds.CONTROLLER_REVISION):
                assert await cluster.all(kind) == []
            assert len(cluster.pods_ever) == pods

    paper.run(story)
