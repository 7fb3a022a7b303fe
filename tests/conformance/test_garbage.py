"""What the garbage collector removes, orphans and leaves."""

import pytest

from tests.conformance.live import Object, Refused, Space, template, wait, workload

PARKED: Object = {"nodeSelector": {"no": "node"}}


def deployment(space: Space) -> str:
    space.create("apps/v1/deployments", workload("web", 2))
    wait("a ReplicaSet", lambda: space.items("apps/v1/replicasets"))
    wait("pods", lambda: len(space.items("pods")) == 2)
    return space.path("apps/v1/deployments", "web")


def controller(space: Space, name: str, replicas: int) -> Object:
    """A ReplicationController whose pods wait for a node for ever."""
    labels = {"rc": name}
    spec = {"replicas": replicas, "selector": labels, "template": template(labels, **PARKED)}
    made: Object = space.create("replicationcontrollers", {"metadata": {"name": name}, "spec": spec})
    wait("its pods", lambda: space.get("replicationcontrollers", name)["status"]["replicas"] == replicas)
    return made


def owners(found: Object) -> list[str]:
    return [one["name"] for one in found["metadata"].get("ownerReferences", [])]


def test_background(space: Space) -> None:
    space.api.delete(deployment(space), {"propagationPolicy": "Background"})
    wait("no ReplicaSet is left", lambda: not space.items("apps/v1/replicasets"))
    wait("no pod is left", lambda: not space.items("pods"))


def test_orphans_of_a_deployment(space: Space) -> None:
    space.api.delete(deployment(space), {"propagationPolicy": "Orphan"})
    wait("the Deployment is gone", lambda: not space.items("apps/v1/deployments"))
    sets = space.items("apps/v1/replicasets")
    assert [owners(one) for one in sets] == [[]]
    assert [owners(one) for one in space.items("pods")] == [[sets[0]["metadata"]["name"]]] * 2


def test_pods_of_a_controller(space: Space) -> None:
    controller(space, "rc", 2)
    space.api.delete(space.path("replicationcontrollers", "rc"), {"propagationPolicy": "Background"})
    wait("no pod is left", lambda: not space.items("pods"))


def test_orphans_of_a_controller(space: Space) -> None:
    controller(space, "rc", 20)
    space.api.delete(space.path("replicationcontrollers", "rc"), {"orphanDependents": True})
    wait("the controller is gone", lambda: not space.items("replicationcontrollers"))
    assert [owners(one) for one in space.items("pods")] == [[]] * 20


def test_foreground_keeps_the_owner_until_all_are_gone(space: Space) -> None:
    made = controller(space, "rc", 20)
    space.api.patch(
        space.path("pods", space.items("pods")[0]["metadata"]["name"]),
        {"metadata": {"finalizers": ["example.com/hold"]}},
    )
    options = {"propagationPolicy": "Foreground", "preconditions": {"uid": made["metadata"]["uid"]}}
    space.api.delete(space.path("replicationcontrollers", "rc"), options)
    wait("one is held", lambda: len(space.items("pods")) == 1)
    owner = space.get("replicationcontrollers", "rc")
    assert owner["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert owner["metadata"]["deletionTimestamp"]
    space.api.patch(space.path("pods", space.items("pods")[0]["metadata"]["name"]), {"metadata": {"finalizers": None}})
    wait("the owner is gone", lambda: not space.items("replicationcontrollers"))


def test_another_valid_owner_keeps_a_dependent(space: Space) -> None:
    going, staying = controller(space, "going", 10), controller(space, "staying", 0)
    shared = sorted(one["metadata"]["name"] for one in space.items("pods"))[:5]
    for name in shared:
        owner = {
            "apiVersion": "v1",
            "kind": "ReplicationController",
            "name": "staying",
            "uid": staying["metadata"]["uid"],
        }
        space.api.patch(space.path("pods", name), {"metadata": {"ownerReferences": [owner]}}, "strategic")
    options = {"propagationPolicy": "Foreground", "preconditions": {"uid": going["metadata"]["uid"]}}
    space.api.delete(space.path("replicationcontrollers", "going"), options)
    wait("the owner is gone", lambda: len(space.items("replicationcontrollers")) == 1)
    left = space.items("pods")
    assert sorted(one["metadata"]["name"] for one in left) == shared
    assert not any(one["metadata"].get("deletionTimestamp") for one in left)


def test_a_circle_of_owners_blocks_nothing(space: Space) -> None:
    uids = {name: space.pod(name, **PARKED)["metadata"]["uid"] for name in ("pod1", "pod2", "pod3")}
    for name, owner in (("pod1", "pod3"), ("pod2", "pod1"), ("pod3", "pod2")):
        reference = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": owner,
            "uid": uids[owner],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        space.api.patch(space.path("pods", name), {"metadata": {"ownerReferences": [reference]}}, "strategic")
    space.api.delete(space.path("pods", "pod1"), {"propagationPolicy": "Foreground"})
    wait("all are gone", lambda: not space.items("pods"))
    with pytest.raises(Refused, match="404"):
        space.get("pods", "pod1")
