"""Claims, volumes and those who use them, through all controllers and the real API server, in virtual time."""

from steersman import controllers
from steersman.api import kinds, volumes
from steersman.csi import naming
from steersman.meta import objects
from tests.controllers import paper, shapes
from tests.controllers.volume_shapes import WAITS, claim, storage_class, volume

CLAIM, VOLUME = kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME


def fresh(obj, **fields):
    """As a user would send it."""
    meta = {key: value for key, value in obj["metadata"].items() if key not in ("uid", "resourceVersion")}
    return {key: value for key, value in obj.items() if key != "status"} | {"metadata": meta} | fields


def user(claim_name: str):
    mounted = {"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}
    spec = {"containers": [{"name": "c", "image": "x"}], "volumes": [mounted]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "user", "namespace": "default"}, "spec": spec}


BARE = controllers.Options(local_path=False)


async def phases(cluster):
    found = {objects.name(one): one["status"]["phase"] for one in await cluster.all(VOLUME)}
    return found | {objects.name(one): one["status"]["phase"] for one in await cluster.all(CLAIM)}


def test_a_claim_gets_the_smallest_volume_and_gives_it_back():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(VOLUME, fresh(volume("large", "9Gi")))
            await cluster.create(VOLUME, fresh(volume("small", "2Gi")))
            await cluster.settle()
            assert await phases(cluster) == {"large": "Available", "small": "Available"}
            await cluster.create(CLAIM, fresh(claim()))
            await cluster.settle()
            assert await phases(cluster) == {"large": "Available", "small": "Bound", "data": "Bound"}
            bound = await cluster.get(CLAIM, "data")
            assert bound["spec"]["volumeName"] == "small"
            assert bound["status"]["capacity"] == {"storage": "2Gi"}
            await cluster.delete(CLAIM, "data")
            await cluster.settle()
            assert await phases(cluster) == {"large": "Available", "small": "Released"}

    paper.run(story)


def test_a_claim_that_came_first_is_bound_when_a_volume_comes():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(CLAIM, fresh(claim(storageClassName="")))
            await cluster.settle()
            assert (await cluster.events("FailedBinding"))[0].startswith("no persistent volumes available")
            await cluster.create(VOLUME, fresh(volume(storageClassName="")))
            await cluster.settle()
            assert await phases(cluster) == {"pv": "Bound", "data": "Bound"}

    paper.run(story)


def test_many_claims_and_few_volumes_are_paired_one_to_one():
    async def story():
        async with paper.cluster(watch_delay_seconds=0.05) as cluster:
            for number in range(6):
                await cluster.create(CLAIM, fresh(claim(f"claim-{number}")))
            for number in range(4):
                await cluster.create(VOLUME, fresh(volume(f"pv-{number}")))
            await cluster.settle(60)
            claims = {
                objects.uid(one): one["spec"]["volumeName"] for one in await cluster.all(CLAIM) if volumes.is_bound(one)
            }
            owners = {volumes.claim_of(one)["uid"]: objects.name(one) for one in await cluster.all(VOLUME)}
            assert len(claims) == 4
            assert claims == owners

    paper.run(story)


def test_a_claim_in_use_stays_until_its_pod_is_gone():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(VOLUME, fresh(volume()))
            await cluster.create(CLAIM, fresh(claim()))
            await cluster.create(kinds.POD, user("data"))
            await cluster.settle()
            await cluster.delete(CLAIM, "data")
            await cluster.settle()
            assert "deletionTimestamp" in (await cluster.get(CLAIM, "data"))["metadata"]
            await cluster.delete(VOLUME, "pv")
            await cluster.delete(kinds.POD, "user", grace_seconds=1)
            await cluster.settle()
            assert await phases(cluster) == {}

    paper.run(story)


def test_an_attributes_class_stays_while_somebody_has_it():
    async def story():
        async with paper.cluster(BARE) as cluster:
            kind = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttributesClass", "metadata": {"name": "gold"}}
            await cluster.create(kinds.VOLUME_ATTRIBUTES_CLASS, {**kind, "driverName": "d.x", "parameters": {"a": "b"}})
            await cluster.create(CLAIM, fresh(claim(volumeAttributesClassName="gold")))
            await cluster.delete(kinds.VOLUME_ATTRIBUTES_CLASS, "gold")
            await cluster.settle()
            assert len(await cluster.all(kinds.VOLUME_ATTRIBUTES_CLASS)) == 1
            await cluster.delete(CLAIM, "data")
            await cluster.settle()
            assert await cluster.all(kinds.VOLUME_ATTRIBUTES_CLASS) == []

    paper.run(story)


def test_a_claim_without_a_class_gets_the_default_one_when_there_is_one():
    async def story():
        async with paper.cluster(BARE) as cluster:
            await cluster.create(CLAIM, fresh(claim(storageClassName=None)))
            await cluster.settle()
            default = {volumes.DEFAULT_CLASS: "true"}
            await cluster.create(kinds.STORAGE_CLASS, fresh(storage_class("fast", annotations=default, **WAITS)))
            await cluster.settle()
            assert (await cluster.get(CLAIM, "data"))["spec"]["storageClassName"] == "fast"
            assert await cluster.events("WaitForFirstConsumer") == [
                "waiting for first consumer to be created before binding"
            ]

    paper.run(story)


def test_a_generic_ephemeral_volume_comes_and_goes_with_its_pod():
    async def story():
        async with paper.cluster() as cluster:
            template = {"metadata": {"labels": {"a": "b"}}, "spec": fresh(claim(storageClassName=""))["spec"]}
            pod = user("x")
            pod["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
            await cluster.create(kinds.POD, pod)
            await cluster.settle()
            [made] = await cluster.all(CLAIM)
            assert (objects.name(made), objects.labels(made)) == ("user-scratch", {"a": "b"})
            assert made["metadata"]["ownerReferences"][0]["controller"] is True
            await cluster.delete(kinds.POD, "user", grace_seconds=1)
            await cluster.settle()
            assert await cluster.all(CLAIM) == []

    paper.run(story)


def stateful_set(replicas=2, **policy):
    template = {"metadata": {"name": "data"}, "spec": fresh(claim(storageClassName=""))["spec"]}
    spec = {
        "replicas": replicas,
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": shapes.template(app="db"),
        "volumeClaimTemplates": [template],
        "persistentVolumeClaimRetentionPolicy": policy or None,
    }
    meta = {"name": "db", "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec}


async def claims(cluster):
    return [objects.name(one) for one in await cluster.all(CLAIM)]


def test_a_stateful_sets_claims_outlive_it():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.STATEFUL_SET, stateful_set())
            await cluster.settle()
            assert await claims(cluster) == ["data-db-0", "data-db-1"]
            assert objects.labels((await cluster.all(CLAIM))[0]) == {"app": "db"}
            assert "create Claim data-db-0 Pod db-0 in StatefulSet db success" in await cluster.events(
                "SuccessfulCreate"
            )
            await cluster.patch(kinds.STATEFUL_SET, "db", {"spec": {"replicas": 1}})
            await cluster.settle()
            await cluster.delete(kinds.STATEFUL_SET, "db", propagation="Background")
            await cluster.settle()
            assert [objects.name(one) for one in await cluster.all(kinds.POD)] == []
            assert await claims(cluster) == ["data-db-0", "data-db-1"]

    paper.run(story)


def test_a_claim_goes_with_the_pod_that_is_scaled_away_and_comes_anew():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.STATEFUL_SET, stateful_set(whenScaled="Delete"))
            await cluster.settle()
            first = objects.uid(await cluster.get(CLAIM, "data-db-1"))
            await cluster.patch(kinds.STATEFUL_SET, "db", {"spec": {"replicas": 1}})
            await cluster.settle(10)
            assert await claims(cluster) == ["data-db-0"]
            await cluster.patch(kinds.STATEFUL_SET, "db", {"spec": {"replicas": 2}})
            await cluster.settle(10)
            assert objects.uid(await cluster.get(CLAIM, "data-db-1")) != first
            assert len(await cluster.all(kinds.POD)) == 2

    paper.run(story)


def test_claims_go_with_the_set_that_says_so():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.STATEFUL_SET, stateful_set(whenDeleted="Delete"))
            await cluster.settle()
            await cluster.patch(kinds.STATEFUL_SET, "db", {"spec": {"replicas": 1}})
            await cluster.settle()
            assert await claims(cluster) == ["data-db-0", "data-db-1"]
            await cluster.delete(kinds.STATEFUL_SET, "db", propagation="Background")
            await cluster.settle(10)
            assert await claims(cluster) == []

    paper.run(story)


def test_a_pod_waits_until_a_claim_that_is_going_is_gone():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.STATEFUL_SET, stateful_set(1))
            await cluster.settle()
            await cluster.delete(CLAIM, "data-db-0")
            await cluster.settle()
            await cluster.delete(kinds.POD, "db-0", grace_seconds=1)
            await cluster.settle()
            assert len(await cluster.all(kinds.POD)) == 1
            assert await claims(cluster) == ["data-db-0"]
            assert "deletionTimestamp" not in (await cluster.get(CLAIM, "data-db-0"))["metadata"]

    paper.run(story)


def attached_by_hand(node: str):
    spec = {"attacher": "e2e-test.storage.k8s.io", "nodeName": node, "source": {"persistentVolumeName": "nowhere"}}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "VolumeAttachment",
        "metadata": {"name": "by-hand"},
        "spec": spec,
    }


def test_a_volume_leaves_a_silent_node_after_six_minutes_and_what_people_attached_stays():
    async def story():
        async with paper.cluster(BARE) as cluster:
            source = {"driver": "d.x", "volumeHandle": "h"}
            await cluster.create(VOLUME, fresh(volume(csi=source, storageClassName="", hostPath=None)))
            await cluster.create(CLAIM, fresh(claim(storageClassName="")))
            await cluster.settle()
            await cluster.create(kinds.POD, user("data"))
            await cluster.create(kinds.VOLUME_ATTACHMENT, attached_by_hand("node-1"))
            await cluster.settle()

            async def attachments():
                return sorted(one["spec"]["attacher"] for one in await cluster.all(kinds.VOLUME_ATTACHMENT))

            assert await attachments() == ["d.x", "e2e-test.storage.k8s.io"]
            cluster.nodes[0].silent = True
            body = {"status": {"volumesInUse": [naming.in_use("d.x", "h")]}}
            await cluster.client.patch(kinds.NODE, "node-1", "", body, subresource="status")
            await cluster.delete(kinds.POD, "user", grace_seconds=0)
            await cluster.settle(350)
            assert await attachments() == ["d.x", "e2e-test.storage.k8s.io"]
            await cluster.settle(20)
            assert await attachments() == ["e2e-test.storage.k8s.io"]

    paper.run(story)
