"""Pods with claims: where they may go, why not, and what is promised to them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api import volumes
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler import decide, snapshot
from steersman.scheduler.decide import Evaluation
from tests.scheduler import builders
from tests.scheduler.builders import node, pending, pod

DONE: Any = {"annotations": {volumes.BIND_COMPLETED: "yes"}}
NODES = [
    node("a", labels={"zone": "1", "topology.kubernetes.io/zone": "z1"}),
    node("b", labels={"zone": "1", "topology.kubernetes.io/region": "r"}),
    node("c", labels={"zone": "2"}),
]


def user(*claims: str, name: str = "web-1", **more: Any) -> Object:
    listed = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims]
    return pod(name, volumes=listed, **more)


def claim(name: str = "data", size: str = "1Gi", mode: str = "ReadWriteOnce", **more: Any) -> Object:
    meta = {"name": name, "namespace": "default", "uid": name, **more.pop("meta", {})}
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": size}}, "storageClassName": "waits"}
    status = {"phase": more.pop("phase", "Pending")}
    return {"metadata": meta, "spec": spec | more, "status": status}


def volume(name: str = "pv", size: str = "1Gi", at: str = "", **more: Any) -> Object:
    meta = {"name": name, "uid": name, **more.pop("meta", {})}
    spec: Object = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "storageClassName": "waits"}
    if at:
        key, value = at.split("=")
        term = {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    return {"metadata": meta, "spec": spec | more, "status": {"phase": "Available"}}


def storage_class(name: str = "waits", provisioner: str = volumes.NO_PROVISIONER, **more: Any) -> Object:
    return {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"} | more


MAKES = storage_class(provisioner="disk.example.com")


def picture(*things: Object, placed: list[Object] = [], nodes: list[Object] = NODES) -> snapshot.Snapshot:  # noqa: B006
    """A snapshot of the nodes and of claims, volumes and what else there is, told apart by what they have."""
    seen = builders.picture(nodes, placed)
    for one in [storage_class(), *things]:
        if "provisioner" in one:
            seen.volumes.classes[objects.name(one)] = one
        elif "resources" in one.get("spec", {}):
            seen.volumes.set_claim(objects.key(one), one)
        elif "capacity" in one.get("spec", {}):
            seen.volumes.set_volume(objects.name(one), one)
        elif "drivers" in one.get("spec", {}):
            seen.volumes.csi_nodes[objects.name(one)] = one
        elif "nodeTopology" in one:
            seen.volumes.capacities[objects.name(one)] = one
        else:
            seen.volumes.drivers[objects.name(one)] = one
    return seen


def bound(name: str = "data", to: str = "pv", **more: Any) -> Object:
    return claim(name, meta=DONE, volumeName=to, phase="Bound", **more)


OWNED = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "data", "uid": "data"}
TRACKS = {"metadata": {"name": "disk.example.com"}, "spec": {"storageCapacity": True}}


def capacity(size: str, **labels: str) -> Object:
    selector = {"matchLabels": labels}
    return {"metadata": {"name": size}, "storageClassName": "waits", "capacity": size, "nodeTopology": selector}


def limit(name: str, count: int) -> Object:
    drivers = [{"name": "disk.example.com", "nodeID": name, "allocatable": {"count": count}}]
    return {"metadata": {"name": name}, "spec": {"drivers": drivers}}


STRICT = {"metadata": {"name": "disk.example.com"}, "spec": {"preventPodSchedulingIfMissing": True}}
CSI: Any = {"csi": {"driver": "disk.example.com", "volumeHandle": "h"}}

POSSIBLE = {
    "a driver that has to be there": (user("data"), [bound(), volume(**CSI), STRICT, limit("b", 3)], "b"),
    "a volume anywhere": (user("data"), [bound(), volume()], "abc"),
    "a volume of one node": (user("data"), [bound(), volume(at="kubernetes.io/hostname=b")], "b"),
    "two volumes": (
        user("data", "logs"),
        [bound(), bound("logs", "pv2"), volume(at="zone=1"), volume("pv2", at="kubernetes.io/hostname=a")],
        "a",
    ),
    "a zone by label": (
        user("data"),
        [bound(), volume(meta={"labels": {"topology.kubernetes.io/zone": "z1__z9"}})],
        "ac",
    ),
    "an old label of a zone": (
        user("data"),
        [bound(), volume(meta={"labels": {"failure-domain.beta.kubernetes.io/zone": "z1"}})],
        "ac",
    ),
    "a free volume that fits": (user("data"), [claim(), volume(at="zone=2"), volume("small", "1Mi")], "c"),
    "the class makes one": (user("data"), [claim(), MAKES], "abc"),
    "the class makes them in one zone": (
        user("data"),
        [claim(), MAKES | {"allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["2"]}]}]}],
        "c",
    ),
    "a node was chosen before": (
        user("data"),
        [claim(meta={"annotations": {volumes.SELECTED_NODE: "b"}}), MAKES, volume(at="zone=2")],
        "b",
    ),
    "set aside": (user("data"), [claim(), volume(at="zone=2", claimRef=OWNED), volume("other")], "c"),
    "room is known": (
        user("data"),
        [claim(), MAKES, TRACKS, capacity("2Gi", zone="1"), capacity("1Mi", zone="2")],
        "ab",
    ),
    "each its own": (
        user("data", "logs"),
        [claim(), claim("logs"), volume(at="zone=1"), volume("pv2", at="kubernetes.io/hostname=b")],
        "b",
    ),
    "full of volumes": (
        user("data"),
        [bound(), volume(**CSI), limit("a", 0), limit("b", 1)],
        "bc",
    ),
}


@pytest.mark.parametrize(("wanted", "things", "nodes"), POSSIBLE.values(), ids=POSSIBLE.keys())
def test_possible_nodes(wanted, things, nodes):
    assert "".join(Evaluation(pending(wanted).shape, picture(*things)).possible()) == nodes


def counted(reason: str) -> str:
    return f"0/3 nodes are available: 3 {reason}."


def whole(message: str) -> str:
    return f"0/3 nodes are available: {message}."


UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
ALONE = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
EPHEMERAL = pod(volumes=[{"name": "tmp", "ephemeral": {}}])
REFUSED = {
    "no claim": (user("data"), [], whole('persistentvolumeclaim "data" not found')),
    "no claim yet": (
        EPHEMERAL,
        [],
        whole('waiting for ephemeral volume controller to create the persistentvolumeclaim "web-1-tmp"'),
    ),
    "bound by others, not yet": (user("data"), [claim(storageClassName="")], whole(UNBOUND)),
    "lost": (
        user("data"),
        [claim(phase="Lost", volumeName="pv")],
        whole('persistentvolumeclaim "data" bound to non-existent persistentvolume "pv"'),
    ),
    "going": (
        user("data"),
        [claim(meta={"deletionTimestamp": "x"})],
        whole('persistentvolumeclaim "data" is being deleted'),
    ),
    "no volume anywhere": (
        user("data"),
        [claim()],
        counted("node(s) didn't find available persistent volumes to bind"),
    ),
    "volume elsewhere": (
        user("data"),
        [bound(), volume(at="zone=9")],
        counted("node(s) didn't match PersistentVolume's node affinity"),
    ),
    "volume gone": (
        user("data"),
        [bound()],
        counted("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"),
    ),
    "no room": (
        user("data"),
        [claim(size="3Gi"), MAKES, TRACKS, capacity("2Gi", zone="1")],
        counted("node(s) did not have enough free storage"),
    ),
    "no zone": (
        user("data"),
        [bound(), volume(meta={"labels": {"topology.kubernetes.io/zone": "z"}}, at="kubernetes.io/hostname=a")],
        "0/3 nodes are available: 1 node(s) had no available volume zone, 2 node(s) didn't match PersistentVolume's node affinity.",
    ),
    "no driver": (
        user("data"),
        [bound(), volume(**CSI), STRICT],
        counted("node(s) did not have the CSI driver installed"),
    ),
    "limits": (
        user("data"),
        [bound(), volume(**CSI), limit("a", 0), limit("b", 0), limit("c", 0)],
        counted("node(s) exceed max volume count"),
    ),
}


@pytest.mark.parametrize(("wanted", "things", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals(wanted, things, message):
    [rejection] = decide.decide([pending(wanted)], picture(*things)).rejections
    assert rejection.message.startswith(f"{message} no new claims to deallocate, preemption: 0/3 nodes are available: ")


def test_one_pod_alone():
    things = bound(mode="ReadWriteOncePod"), volume(accessModes=["ReadWriteOncePod"])
    other = user("data", name="other", on="b")
    [rejection] = decide.decide([pending(user("data"))], picture(*things, placed=[other])).rejections
    assert rejection.message.startswith(counted(ALONE))
    both = decide.decide([pending(user("data", name=name)) for name in ("x", "y")], picture(*things))
    assert (len(both.placements), len(both.rejections)) == (1, 1)


def test_what_a_placement_promises_counts_at_once():
    things = claim(), claim("logs"), volume("one", at="zone=1"), volume("two", at="zone=2")
    seen = picture(*things)
    pods = [pending(user("data", name="x")), pending(user("logs", name="y"))]
    plans = [one.plan for one in decide.decide(pods, seen).placements]
    assert sorted(name for plan in plans if plan for name in plan.matched) == ["one", "two"]
    seen.volumes.set_claim("default/late", claim("late"))
    assert decide.decide([pending(user("late", name="z"))], seen).placements == []
    assert plans[0] is not None
    seen.volumes.take_back(plans[0])
    assert len(decide.decide([pending(user("late", name="z"))], seen).placements) == 1


def test_pods_of_one_claim_go_to_one_node():
    seen = picture(claim(), MAKES)
    placements = decide.decide([pending(user("data", name=f"p{number}")) for number in range(4)], seen).placements
    assert len(placements) == 4
    assert len({one.node for one in placements}) == 1
    assert placements[0].plan is not None
    assert placements[0].plan.provisioned == ("default/data",)


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.sampled_from(["zone=1", "zone=2", "kubernetes.io/hostname=a", ""]), max_size=5),
    pods=st.integers(1, 6),
)
def test_no_volume_is_promised_twice_and_each_can_be_used(places, pods):
    there = [volume(f"pv{index}", at=place) for index, place in enumerate(places)]
    seen = picture(*(claim(f"claim{index}") for index in range(pods)), *there)
    wanted = [pending(user(f"claim{index}", name=f"pod{index}")) for index in range(pods)]
    found = decide.decide(wanted, seen)
    matched = [(name, one.node) for one in found.placements if one.plan for name in one.plan.matched]
    assert len({name for name, _ in matched}) == len(matched) == len(found.placements)
    zones = {"a": "1", "b": "1", "c": "2"}
    for name, at in matched:
        place = places[int(name[2:])]
        assert place in ("", f"zone={zones[at]}", f"kubernetes.io/hostname={at}")
