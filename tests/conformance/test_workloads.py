"""Deployments, ReplicaSets, ReplicationControllers, DaemonSets, budgets: with real pods on two nodes."""

import functools
import itertools
from typing import Any

import pytest

from steersman.meta import conditions
from tests.conformance.live import IMAGE, Object, Space, condition, names, refusal, unique, wait, workload

REPLICASETS, DEPLOYMENTS, DAEMONSETS = "apps/v1/replicasets", "apps/v1/deployments", "apps/v1/daemonsets"
CONTROLLERS = "replicationcontrollers"
OTHER_IMAGE = "localhost/hello:2"


def sized(resource: str, name: str, replicas: int) -> Object:
    made = workload(name, replicas)
    if resource == CONTROLLERS:
        made["spec"]["selector"] = {"name": name}
    return made


def ready(space: Space, resource: str, name: str, count: int) -> Object:
    def look() -> Object:
        found: Object = space.get(resource, name)
        status = found.get("status", {})
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        return found if current and status.get("readyReplicas", 0) == status.get("replicas", 0) == count else {}

    return wait(f"{count} of {name} are ready", look)


def complete(space: Space, name: str) -> Object:
    def look() -> Object:
        found: Object = space.get(DEPLOYMENTS, name)
        status, wanted = found.get("status", {}), found["spec"]["replicas"]
        figures = [status.get(one, 0) for one in ("replicas", "updatedReplicas", "availableReplicas")]
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        return found if current and figures == [wanted] * 3 else {}

    return wait(f"{name} is complete", look)


@pytest.mark.parametrize("resource", [DEPLOYMENTS, REPLICASETS, "apps/v1/statefulsets", CONTROLLERS])
def test_scale(space: Space, resource: str) -> None:
    space.create(resource, sized(resource, "scaled", 1))
    ready(space, resource, "scaled", 1)
    address = space.path(resource, "scaled")
    scale = space.api.get(f"{address}/scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 1, "selector": "name=scaled"})
    scale["spec"]["replicas"] = 2
    assert space.api.update(f"{address}/scale", scale)["spec"]["replicas"] == 2
    assert space.api.get(address)["spec"]["replicas"] == 2
    ready(space, resource, "scaled", 2)
    assert space.api.patch(f"{address}/scale", {"spec": {"replicas": 4}})["spec"]["replicas"] == 4
    assert space.api.get(address)["spec"]["replicas"] == 4


@pytest.mark.parametrize("resource", [REPLICASETS, CONTROLLERS])
def test_adopts_and_releases(space: Space, resource: str) -> None:
    space.pod("orphan", labels={"name": "keeper"})
    space.running("orphan")
    made = space.create(resource, sized(resource, "keeper", 1))
    uid = made["metadata"]["uid"]

    def owners() -> list[str]:
        return [one["uid"] for one in space.get("pods", "orphan")["metadata"].get("ownerReferences", [])]

    wait("it is adopted", lambda: owners() == [uid])
    space.api.patch(space.path("pods", "orphan"), {"metadata": {"labels": {"name": "other"}}}, "strategic")
    wait("it is released", lambda: owners() == [])
    wait("another is made", lambda: len(space.items("pods", labelSelector="name=keeper")) == 1)


def test_a_full_quota_is_told_as_a_condition(space: Space) -> None:
    for resource in (CONTROLLERS, REPLICASETS):
        name = resource.rpartition("/")[2]
        space.create("resourcequotas", {"metadata": {"name": name}, "spec": {"hard": {"pods": "2"}}})
        wait("quota", lambda: space.get("resourcequotas", name).get("status", {}).get("hard"))
        space.create(resource, sized(resource, "condition-test", 3))
        wait("told", lambda: condition(space.get(resource, "condition-test"), "ReplicaFailure"))
        failure = space.get(resource, "condition-test")["status"]["conditions"][0]
        assert failure["reason"] == "FailedCreate"
        assert f"exceeded quota: {name}, requested: pods=1, used: pods=2, limited: pods=2" in failure["message"]
        space.api.patch(f"{space.path(resource, 'condition-test')}/scale", {"spec": {"replicas": 2}})
        wait("untold", lambda: not condition(space.get(resource, "condition-test"), "ReplicaFailure"))
        space.api.delete(
            space.path(resource, "condition-test"), {"propagationPolicy": "Background", "gracePeriodSeconds": 0}
        )
        wait("no pods", lambda: not space.items("pods"))
        space.api.delete(space.path("resourcequotas", name))


def test_lifecycle_of_a_deployment(space: Space) -> None:
    """Created, patched, scaled, its status written, with the events a watch must see."""
    address = space.path(DEPLOYMENTS, "d")
    with space.api.watch(space.path(DEPLOYMENTS)) as events:
        space.create(DEPLOYMENTS, workload("d", 1))
        assert next(events)["type"] == "ADDED"
        assert any(event["object"].get("status", {}).get("readyReplicas") == 1 for event in events)
        body = {
            "metadata": {"labels": {"test-deployment": "patched"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "main", "image": OTHER_IMAGE}]}}},
        }
        space.api.patch(address, body, "strategic")
        assert any(event["object"].get("status", {}).get("updatedReplicas") == 2 for event in events)
        complete(space, "d")
        patched = space.api.patch(
            f"{address}/status", {"metadata": {"annotations": {"status": "patched"}}, "status": {"readyReplicas": 0}}
        )
        assert patched["metadata"]["annotations"]["status"] == "patched"
        space.api.change(address, lambda found: found["spec"].update(replicas=1))
        complete(space, "d")
        space.api.delete(space.path(DEPLOYMENTS), labelSelector="test-deployment=patched")
        assert any(event["type"] == "DELETED" for event in events)


def test_recreate(space: Space) -> None:
    """The old are gone before the new come."""
    body = workload("recreated", 2, strategy={"type": "Recreate"})
    space.create(DEPLOYMENTS, body)
    complete(space, "recreated")
    with space.api.watch(
        space.path("pods"),
        labelSelector="name=recreated",
        resourceVersion=space.api.get(space.path("pods"))["metadata"]["resourceVersion"],
    ) as events:
        space.api.patch(
            space.path(DEPLOYMENTS, "recreated"),
            {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": OTHER_IMAGE}]}}}},
            "strategic",
        )
        seen = [
            (event["type"], event["object"]["spec"]["containers"][0]["image"])
            for event in itertools.takewhile(
                lambda event: (
                    (event["type"], event["object"]["spec"]["containers"][0]["image"]) != ("ADDED", OTHER_IMAGE)
                ),
                events,
            )
        ]
    assert seen.count(("DELETED", IMAGE)) == 2
    complete(space, "recreated")


def test_rolling_update_takes_over_a_replica_set(space: Space) -> None:
    old = workload("rolled", 1)
    old["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3546343826724305832"}
    space.create(REPLICASETS, old)
    ready(space, REPLICASETS, "rolled", 1)
    body = workload("rolled", 1)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = OTHER_IMAGE
    space.create(DEPLOYMENTS, body)
    found = complete(space, "rolled")
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3546343826724305833"
    sets = {one["spec"]["replicas"]: one for one in space.items(REPLICASETS)}
    assert sets[0]["metadata"]["name"] == "rolled"
    assert sets[0]["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
    assert "pod-template-hash" in sets[1]["spec"]["selector"]["matchLabels"]


def test_history_is_cleaned_up(space: Space) -> None:
    space.create(REPLICASETS, workload("kept", 1))
    ready(space, REPLICASETS, "kept", 1)
    body = workload("kept", 1, revisionHistoryLimit=0)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = OTHER_IMAGE
    space.create(DEPLOYMENTS, body)
    complete(space, "kept")
    wait("old ones are gone", lambda: "kept" not in names(space.items(REPLICASETS)))


def test_rollover(space: Space) -> None:
    """Another change before the first is through: the one in the middle never grows."""
    body = workload(
        "over", 1, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    )
    space.create(DEPLOYMENTS, body)
    complete(space, "over")
    change = functools.partial(space.api.patch, space.path(DEPLOYMENTS, "over"), how="strategic")
    change({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "localhost/nobody-has:1"}]}}}})
    wait("the bad one comes", lambda: len(space.items(REPLICASETS)) == 2)
    change({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": OTHER_IMAGE}]}}}})
    complete(space, "over")
    alive = [one for one in space.items(REPLICASETS) if one["spec"]["replicas"]]
    assert [one["spec"]["template"]["spec"]["containers"][0]["image"] for one in alive] == [OTHER_IMAGE]
    assert all(one["status"]["replicas"] == 0 for one in space.items(REPLICASETS) if one not in alive)


def test_proportional_scaling(space: Space) -> None:
    """10 replicas of which 8 are old and 5 of a broken update, scaled to 30: 20 and 13."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    space.create(DEPLOYMENTS, workload("prop", 10, strategy=strategy))
    complete(space, "prop")
    change = functools.partial(space.api.patch, space.path(DEPLOYMENTS, "prop"), how="strategic")
    change({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "localhost/nobody-has:1"}]}}}})

    def sizes() -> list[int]:
        return sorted(one["spec"]["replicas"] for one in space.items(REPLICASETS))

    wait("the update sticks", lambda: sizes() == [5, 8])
    wait("8 are available", lambda: space.get(DEPLOYMENTS, "prop")["status"]["availableReplicas"] == 8)
    change({"spec": {"replicas": 30}})
    wait("in proportion", lambda: sizes() == [13, 20])


def daemon(space: Space, name: str, **spec: Any) -> Object:
    body = workload(name, None, **spec)
    made: Object = space.create(DAEMONSETS, body)
    return made


def daemons(space: Space, name: str) -> list[Object]:
    return [
        one for one in space.items("pods", labelSelector=f"name={name}") if not one["metadata"].get("deletionTimestamp")
    ]


def everywhere(space: Space, name: str) -> bool:
    nodes = names(space.api.items("/api/v1/nodes"))
    found = [one for one in daemons(space, name) if condition(one, "Ready") == "True"]
    return {one["spec"]["nodeName"] for one in found} == nodes and len(found) == len(nodes)


def test_daemons_run_on_each_node_and_are_replaced(space: Space) -> None:
    daemon(space, "simple")
    wait("they run", lambda: everywhere(space, "simple"))
    first = daemons(space, "simple")[0]["metadata"]
    space.api.delete(space.path("pods", first["name"]), {"gracePeriodSeconds": 0})
    wait("another comes", lambda: first["uid"] not in {one["metadata"]["uid"] for one in daemons(space, "simple")})
    wait("they run again", lambda: everywhere(space, "simple"))
    failed = daemons(space, "simple")[0]["metadata"]
    space.api.patch(f"{space.path('pods', failed['name'])}/status", {"status": {"phase": "Failed"}})
    wait(
        "the failed one is replaced",
        lambda: failed["uid"] not in {one["metadata"]["uid"] for one in space.items("pods")},
    )
    wait("they run again", lambda: everywhere(space, "simple"))


def test_daemons_go_where_labels_say(space: Space) -> None:
    color = unique("color")
    nodes = [f"/api/v1/nodes/{name}" for name in sorted(names(space.api.items("/api/v1/nodes")))]
    body = workload("complex", None)
    body["spec"]["template"]["spec"]["nodeSelector"] = {color: "blue"}
    space.create(DAEMONSETS, body)
    status = functools.partial(space.get, DAEMONSETS, "complex")
    wait("nowhere", lambda: status()["status"].get("observedGeneration") == 1)
    assert status()["status"]["desiredNumberScheduled"] == 0
    space.api.patch(nodes[0], {"metadata": {"labels": {color: "blue"}}})
    wait(
        "on the blue one",
        lambda: [one["spec"].get("nodeName") for one in daemons(space, "complex")] == [nodes[0].rpartition("/")[2]],
    )
    space.api.patch(nodes[0], {"metadata": {"labels": {color: "green"}}})
    wait("nowhere again", lambda: not daemons(space, "complex"))
    change = {
        "spec": {"updateStrategy": {"type": "RollingUpdate"}, "template": {"spec": {"nodeSelector": {color: "green"}}}}
    }
    space.api.patch(space.path(DAEMONSETS, "complex"), change)
    wait("on the green one", lambda: len(daemons(space, "complex")) == 1)
    space.api.patch(nodes[0], {"metadata": {"labels": {color: None}}})


def test_daemons_are_updated_and_rolled_back(space: Space) -> None:
    """What an unready new one did not reach is never restarted by going back."""
    daemon(space, "rolled")
    wait("they run", lambda: everywhere(space, "rolled"))
    image = functools.partial(set_image, space, DAEMONSETS, "rolled")
    image(OTHER_IMAGE)
    wait(
        "they are new",
        lambda: (
            {one["spec"]["containers"][0]["image"] for one in daemons(space, "rolled")} == {OTHER_IMAGE}
            and everywhere(space, "rolled")
        ),
    )
    revisions = {one["revision"] for one in space.items("apps/v1/controllerrevisions")}
    assert revisions == {1, 2}
    before = {one["metadata"]["uid"] for one in daemons(space, "rolled")}
    image("localhost/nobody-has:1")
    wait("one is new", lambda: {one["metadata"]["uid"] for one in daemons(space, "rolled")} != before)
    kept = {one["metadata"]["uid"] for one in daemons(space, "rolled")} & before
    image(OTHER_IMAGE)
    wait("all are back", lambda: everywhere(space, "rolled"))
    after = {one["metadata"]["uid"]: one for one in daemons(space, "rolled")}
    assert kept <= after.keys()
    assert len(kept) == len(before) - 1
    assert all(after[uid]["status"]["containerStatuses"][0]["restartCount"] == 0 for uid in kept)


def set_image(space: Space, resource: str, name: str, image: str) -> None:
    change = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}
    space.api.patch(space.path(resource, name), change, "strategic")


def test_revisions_of_a_daemon_set(space: Space) -> None:
    daemon(space, "revised")
    root = space.path("apps/v1/controllerrevisions")
    first = wait("a revision", lambda: space.api.items(root))[0]
    space.api.patch(
        f"{root}/{first['metadata']['name']}",
        {"metadata": {"labels": {first["metadata"]["name"]: "patched"}}},
        "strategic",
    )
    made = space.api.create(
        root,
        {
            "metadata": {
                "name": "by-hand",
                "labels": first["metadata"]["labels"],
                "ownerReferences": first["metadata"]["ownerReferences"],
            },
            "data": first["data"],
            "revision": first["revision"] + 1,
        },
    )
    assert made["revision"] == 2
    assert len(space.api.items(root)) == 2
    space.api.delete(f"{root}/{first['metadata']['name']}")
    wait("one is left", lambda: len(space.api.items(root)) == 1)
    wait("they run", lambda: everywhere(space, "revised"))
    space.api.patch(
        space.path(DAEMONSETS, "revised"),
        {
            "spec": {
                "template": {"spec": {"terminationGracePeriodSeconds": 1}},
                "updateStrategy": {"type": "RollingUpdate"},
            }
        },
        "strategic",
    )
    wait("another revision", lambda: max(one["revision"] for one in space.api.items(root)) == 3)


def evict(space: Space, name: str) -> int:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": space.name}}
    refused = refusal(lambda: space.api.create(f"{space.path('pods', name)}/eviction", body))
    if refused is None:
        return 201
    assert refused.reason == "TooManyRequests"
    assert refused.message == "Cannot evict pod as it would violate the pod's disruption budget."
    cause = refused.status["details"]["causes"][0]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"].startswith("The disruption budget foo needs 3 healthy pods and has ")
    return refused.code


def _all_ready(space: Space, count: int) -> bool:
    """By the pods themselves: counts lag behind, and a pod that is Pending may be evicted whatever its budget says."""
    found = space.items("pods")
    ready_ones = [one for one in found if conditions.is_true(one, "Ready")]
    return len(found) == len(ready_ones) == count


def test_a_budget_blocks_until_it_is_changed(space: Space) -> None:
    space.create(REPLICASETS, workload("rs", 3))
    ready(space, REPLICASETS, "rs", 3)
    space.create(
        "policy/v1/poddisruptionbudgets",
        {"metadata": {"name": "foo"}, "spec": {"minAvailable": 3, "selector": {"matchLabels": {"name": "rs"}}}},
    )
    address = space.path("policy/v1/poddisruptionbudgets", "foo")

    def status() -> Object:
        found: Object = space.api.get(address)
        assert found["status"].get("observedGeneration") == found["metadata"]["generation"]
        result: Object = found["status"]
        return result

    wait("three are healthy", lambda: status()["currentHealthy"] == 3)
    pods = sorted(names(space.items("pods")))
    assert evict(space, pods[0]) == 429
    space.api.change(address, lambda found: found["spec"].update(minAvailable=2))
    wait("one may go", lambda: status()["disruptionsAllowed"] == 1)
    assert evict(space, pods[0]) == 201
    wait("three are ready again", lambda: pods[0] not in names(space.items("pods")) and _all_ready(space, 3))
    wait("and counted", lambda: status()["currentHealthy"] == 3)
    space.api.patch(address, {"spec": {"minAvailable": 3}})
    wait("none may go", lambda: status()["disruptionsAllowed"] == 0)
    assert evict(space, sorted(names(space.items("pods")))[0]) == 429
    space.api.delete(address)
    assert evict(space, sorted(names(space.items("pods")))[0]) == 201


def test_budgets_are_told_of_pods(space: Space) -> None:
    space.create(
        "policy/v1/poddisruptionbudgets",
        {
            "metadata": {"name": "b", "labels": {"x": space.name}},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"name": "rs"}}},
        },
    )
    space.create(REPLICASETS, workload("rs", 3))
    address = space.path("policy/v1/poddisruptionbudgets", "b")
    wait(
        "it is told",
        lambda: (
            space.api.get(address)["status"].items()
            >= {"expectedPods": 3, "desiredHealthy": 2, "currentHealthy": 3, "disruptionsAllowed": 1}.items()
        ),
    )
    assert condition(space.api.get(address), "DisruptionAllowed") == "True"
    disrupted = {"status": {"disruptedPods": {"gone": "2026-01-01T00:00:00Z"}}}
    assert space.api.patch(f"{address}/status", disrupted)["status"]["disruptedPods"]
    everywhere = "/apis/policy/v1/poddisruptionbudgets"
    assert names(space.api.items(everywhere, labelSelector=f"x={space.name}")) == {"b"}


def test_replica_sets_are_patched_with_watch_events(space: Space) -> None:
    space.create(REPLICASETS, workload("rs", 1))
    ready(space, REPLICASETS, "rs", 1)
    body = {
        "metadata": {"labels": {"test-rs": "patched"}},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "main", "image": OTHER_IMAGE}]}}},
    }
    space.api.patch(space.path(REPLICASETS, "rs"), body, "strategic")
    assert ready(space, REPLICASETS, "rs", 3)["metadata"]["labels"]["test-rs"] == "patched"
