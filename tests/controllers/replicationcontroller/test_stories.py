"""ReplicationControllers against the real API server, in virtual time."""

from steersman.api import kinds
from steersman.meta import objects, owners
from tests.controllers import paper, shapes


def controller(replicas=2):
    spec = {"replicas": replicas, "selector": {"app": "web"}, "template": shapes.template()}
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": spec,
    }


def test_pods_are_kept_at_their_count():
    async def story():
        async with paper.cluster() as cluster:
            orphan = {"metadata": {"name": "orphan", "namespace": "default", "labels": {"app": "web"}}}
            pod = {"apiVersion": "v1", "kind": "Pod", **orphan, "spec": shapes.template()["spec"]}
            await cluster.create(kinds.POD, pod)
            await cluster.create(kinds.REPLICATION_CONTROLLER, controller(3))
            await cluster.settle()
            pods = await cluster.all(kinds.POD)
            of = await cluster.get(kinds.REPLICATION_CONTROLLER, "web")
            assert [owners.is_controlled_by(one, of) for one in pods] == [True] * 3
            assert owners.of(pods[0])[0]["kind"] == "ReplicationController"
            fields = ("replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas", "observedGeneration")
            assert {field: of["status"][field] for field in fields} == dict.fromkeys(fields, 3) | {
                "observedGeneration": 1
            }
            scale = {"spec": {"replicas": 1}}
            await cluster.client.patch(kinds.REPLICATION_CONTROLLER, "web", "default", scale, subresource="scale")
            await cluster.settle()
            [left] = await cluster.all(kinds.POD)
            writes = sum(loop.statistics.writes for loop in cluster.controllers.loops)
            await cluster.settle(60)
            assert sum(loop.statistics.writes for loop in cluster.controllers.loops) == writes
            # deleted as of old it leaves its pods
            await cluster.delete(kinds.REPLICATION_CONTROLLER, "web")
            await cluster.settle()
            [still] = await cluster.all(kinds.POD)
            assert objects.uid(still) == objects.uid(left)
            assert owners.of(still) == []

    paper.run(story)
