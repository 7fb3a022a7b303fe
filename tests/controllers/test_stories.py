"""All controllers together, against the real API server, in virtual time."""

import pytest

from steersman import controllers
from steersman.api import kinds
from steersman.meta import conditions, objects
from tests.controllers import paper, shapes


def condition(obj, name):
    found = conditions.get(obj, name) or {}
    return found.get("status"), found.get("reason")


def test_a_deployment_comes_up():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.SERVICE, shapes.service())
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(3))
            await cluster.settle()
            deployment = await cluster.get(kinds.DEPLOYMENT, "web")
            status = deployment["status"]
            assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (3, 3, 3)
            assert condition(deployment, "Progressing") == ("True", "NewReplicaSetAvailable")
            assert condition(deployment, "Available") == ("True", "MinimumReplicasAvailable")
            assert objects.annotations(deployment)["deployment.kubernetes.io/revision"] == "1"
            [replica_set] = await cluster.all(kinds.REPLICA_SET)
            name = objects.name(replica_set)
            assert await cluster.events("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 3"]
            assert len(await cluster.events("SuccessfulCreate")) == 3
            [found] = await cluster.all(kinds.ENDPOINT_SLICE)
            assert [one["conditions"]["ready"] for one in found["endpoints"]] == [True] * 3
            assert objects.name(found).startswith("web-")
            assert objects.labels(found) == {
                "kubernetes.io/service-name": "web",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            }

    paper.run(story)


def test_a_rollout_keeps_its_promises_and_can_be_undone():
    async def story():
        async with paper.cluster(nodes=2) as cluster:
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(4))
            await cluster.settle()
            cluster.steps.clear()
            await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"template": shapes.template("web:2")}})
            await cluster.settle(10)
            assert max(alive for alive, _ in cluster.steps) <= 5
            assert min(available for _, available in cluster.steps) >= 3
            old, new = sorted(await cluster.all(kinds.REPLICA_SET), key=lambda one: one["spec"]["replicas"])
            assert (old["spec"]["replicas"], new["spec"]["replicas"]) == (0, 4)
            # kubectl rollout undo patches the old template back, without its hash
            template = old["spec"]["template"]
            template["metadata"]["labels"].pop("pod-template-hash")
            await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"template": template}})
            await cluster.settle(10)
            again = await cluster.get(kinds.REPLICA_SET, objects.name(old))
            assert again["spec"]["replicas"] == 4
            assert objects.annotations(again)["deployment.kubernetes.io/revision"] == "3"
            assert objects.annotations(again)["deployment.kubernetes.io/revision-history"] == "1"
            assert len(await cluster.all(kinds.REPLICA_SET)) == 2

    paper.run(story)


def test_a_rollout_that_never_gets_ready_times_out_and_harms_nobody():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(4, progressDeadlineSeconds=60))
            await cluster.settle()
            cluster.nodes[0].ready = False
            cluster.steps.clear()
            await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"template": shapes.template("broken")}})
            await cluster.settle(55)
            assert condition(await cluster.get(kinds.DEPLOYMENT, "web"), "Progressing") == ("True", "ReplicaSetUpdated")
            await cluster.settle(15)
            deployment = await cluster.get(kinds.DEPLOYMENT, "web")
            assert condition(deployment, "Progressing") == ("False", "ProgressDeadlineExceeded")
            assert condition(deployment, "Available") == ("True", "MinimumReplicasAvailable")
            assert min(available for _, available in cluster.steps) >= 3

    paper.run(story)


def test_recreate_ends_all_old_pods_before_the_first_new_one():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(3, strategy={"type": "Recreate"}))
            await cluster.settle()
            cluster.nodes[0].stop_seconds = 5.0
            await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"template": shapes.template("web:2")}})
            for _ in range(50):
                await cluster.settle(0.2)
                images = {pod["spec"]["containers"][0]["image"] for pod in await cluster.all(kinds.POD)}
                assert len(images) <= 1
            assert images == {"web:2"}
            deployment = await cluster.get(kinds.DEPLOYMENT, "web")
            assert condition(deployment, "Progressing") == ("True", "NewReplicaSetAvailable")

    paper.run(story)


def test_scaling_and_pausing():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(2))
            await cluster.settle()
            await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"replicas": 5}})
            await cluster.settle()
            assert len(await cluster.all(kinds.POD)) == 5
            changed = {"spec": {"paused": True, "template": shapes.template("web:2")}}
            await cluster.patch(kinds.DEPLOYMENT, "web", changed)
            await cluster.settle()
            deployment = await cluster.get(kinds.DEPLOYMENT, "web")
            assert condition(deployment, "Progressing") == ("Unknown", "DeploymentPaused")
            assert len(await cluster.all(kinds.REPLICA_SET)) == 1
            await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"replicas": 3}})
            await cluster.settle()
            assert len(await cluster.all(kinds.POD)) == 3
            await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"paused": False}})
            await cluster.settle(10)
            deployment = await cluster.get(kinds.DEPLOYMENT, "web")
            assert condition(deployment, "Progressing") == ("True", "NewReplicaSetAvailable")
            assert len(await cluster.all(kinds.REPLICA_SET)) == 2

    paper.run(story)


def test_history_is_kept_to_its_limit():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(1, revisionHistoryLimit=2))
            for version in range(2, 7):
                await cluster.settle()
                template = shapes.template(f"web:{version}")
                await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"template": template}})
            await cluster.settle()
            revisions = [
                objects.annotations(one)["deployment.kubernetes.io/revision"]
                for one in await cluster.all(kinds.REPLICA_SET)
            ]
            assert sorted(revisions) == ["4", "5", "6"]

    paper.run(story)


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
def test_a_deleted_deployment_takes_everything_along(propagation):
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(3))
            await cluster.settle()
            await cluster.delete(kinds.DEPLOYMENT, "web", propagation=propagation)
            await cluster.settle()
            for kind in (kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.POD):
                assert await cluster.all(kind) == []

    paper.run(story)


def test_orphans_stay_and_are_adopted_again():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(3))
            await cluster.settle()
            before = {objects.uid(pod) for pod in await cluster.all(kinds.POD)}
            await cluster.delete(kinds.DEPLOYMENT, "web", propagation="Orphan")
            await cluster.settle()
            [replica_set] = await cluster.all(kinds.REPLICA_SET)
            assert "ownerReferences" not in replica_set["metadata"]
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(3))
            await cluster.settle()
            [replica_set] = await cluster.all(kinds.REPLICA_SET)
            assert replica_set["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
            assert {objects.uid(pod) for pod in await cluster.all(kinds.POD)} == before

    paper.run(story)


def test_a_pod_that_is_relabelled_is_let_go_and_replaced():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(2))
            await cluster.settle()
            name = objects.name((await cluster.all(kinds.POD))[0])
            await cluster.patch(kinds.POD, name, {"metadata": {"labels": {"app": "debug"}}})
            await cluster.settle()
            freed = await cluster.get(kinds.POD, name)
            assert "ownerReferences" not in freed["metadata"]
            assert len(await cluster.all(kinds.POD)) == 3

    paper.run(story)


def test_a_namespace_is_emptied_and_goes():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(
                kinds.NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
            )
            deployment = shapes.deployment(3)
            deployment["metadata"]["namespace"] = "shop"
            await cluster.create(kinds.DEPLOYMENT, deployment)
            await cluster.settle()
            assert [objects.name(one) for one in await cluster.all(kinds.SERVICE_ACCOUNT, "shop")] == ["default"]
            assert len(await cluster.all(kinds.POD, "shop")) == 3
            await cluster.delete(kinds.NAMESPACE, "shop")
            await cluster.settle()
            assert "shop" not in [objects.name(one) for one in await cluster.all(kinds.NAMESPACE)]
            assert await cluster.all(kinds.POD, "shop") == []

    paper.run(story)


def test_a_namespace_says_what_it_waits_for():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(
                kinds.NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
            )
            meta = {"name": "stuck", "namespace": "shop", "finalizers": ["example.com/wait"]}
            await cluster.create(kinds.CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
            await cluster.delete(kinds.NAMESPACE, "shop")
            await cluster.settle()
            namespace = await cluster.get(kinds.NAMESPACE, "shop")
            found = conditions.get(namespace, "NamespaceFinalizersRemaining")
            assert found is not None
            assert found["message"] == (
                "Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances"
            )
            await cluster.patch(kinds.CONFIG_MAP, "stuck", {"metadata": {"finalizers": None}}, "shop")
            await cluster.settle()
            assert "shop" not in [objects.name(one) for one in await cluster.all(kinds.NAMESPACE)]

    paper.run(story)


def test_a_lost_node_is_noticed_and_its_pods_are_replaced():
    async def story():
        async with paper.cluster(controllers.Options(node_grace_seconds=8), nodes=2) as cluster:
            await cluster.create(kinds.SERVICE, shapes.service())
            deployment = shapes.deployment(4)
            tolerations = [
                {
                    "key": f"node.kubernetes.io/{key}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 3,
                }
                for key in ("not-ready", "unreachable")
            ]
            deployment["spec"]["template"]["spec"]["tolerations"] = tolerations
            await cluster.create(kinds.DEPLOYMENT, deployment)
            await cluster.settle()
            lost = cluster.nodes[1]
            lost.silent = True
            await cluster.settle(12)
            node = await cluster.get(kinds.NODE, lost.name)
            assert condition(node, "Ready") == ("Unknown", "NodeStatusUnknown")
            assert {(one["key"], one["effect"]) for one in node["spec"]["taints"]} == {
                ("node.kubernetes.io/unreachable", "NoSchedule"),
                ("node.kubernetes.io/unreachable", "NoExecute"),
            }
            await cluster.settle(5)
            alive = [pod for pod in await cluster.all(kinds.POD) if not objects.is_terminating(pod)]
            assert {pod["spec"]["nodeName"] for pod in alive} == {"node-1"}
            assert len(alive) == 4
            [found] = await cluster.all(kinds.ENDPOINT_SLICE)
            ready = [one["nodeName"] for one in found["endpoints"] if one["conditions"]["ready"]]
            assert ready == ["node-1"] * 4
            # its object is deleted: what hangs on it is removed for good
            await cluster.delete(kinds.NODE, lost.name)
            await cluster.settle(12)
            assert len(await cluster.all(kinds.POD)) == 4

    paper.run(story)


def test_a_node_that_comes_back_is_used_again():
    async def story():
        async with paper.cluster(controllers.Options(node_grace_seconds=8)) as cluster:
            cluster.nodes[0].silent = True
            await cluster.settle(12)
            assert (await cluster.get(kinds.NODE, "node-1"))["spec"]["taints"]
            cluster.nodes[0].silent = False
            await cluster.settle(5)
            node = await cluster.get(kinds.NODE, "node-1")
            assert not node["spec"].get("taints")
            assert node["spec"]["podCIDR"] == "10.244.0.0/24"

    paper.run(story)


def test_every_namespace_gets_the_root_certificate():
    async def story():
        async with paper.cluster(controllers.Options(root_ca="PEM")) as cluster:
            await cluster.settle(1)
            found = await cluster.get(kinds.CONFIG_MAP, "kube-root-ca.crt", "kube-system")
            assert found["data"] == {"ca.crt": "PEM"}
            await cluster.patch(kinds.CONFIG_MAP, "kube-root-ca.crt", {"data": {"ca.crt": "forged"}}, "kube-system")
            await cluster.settle(1)
            found = await cluster.get(kinds.CONFIG_MAP, "kube-root-ca.crt", "kube-system")
            assert found["data"] == {"ca.crt": "PEM"}

    paper.run(story)


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.3], ids=["prompt", "late", "very late"])
def test_a_stale_cache_never_makes_a_pod_twice(delay):
    async def story():
        async with paper.cluster(watch_delay_seconds=delay) as cluster:
            await cluster.settle(20)
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(10))
            await cluster.settle(60)
            assert len(cluster.pods_ever) == 10
            await cluster.patch(kinds.DEPLOYMENT, "web", {"spec": {"replicas": 4}})
            await cluster.settle(60)
            assert len(await cluster.all(kinds.POD)) == 4
            assert len(cluster.pods_ever) == 10
            for name in sorted(objects.name(pod) for pod in await cluster.all(kinds.POD))[:2]:
                await cluster.delete(kinds.POD, name)
            await cluster.settle(60)
            assert len(await cluster.all(kinds.POD)) == 4
            assert len(cluster.pods_ever) == 12
            assert len(await cluster.all(kinds.REPLICA_SET)) == 1

    paper.run(story)


def test_a_settled_cluster_is_left_alone():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.SERVICE, shapes.service())
            await cluster.create(kinds.DEPLOYMENT, shapes.deployment(3))
            await cluster.settle()
            before = sum(loop.statistics.writes for loop in cluster.controllers.loops)
            await cluster.settle(600)
            assert sum(loop.statistics.writes for loop in cluster.controllers.loops) == before

    paper.run(story)
