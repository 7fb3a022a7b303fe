"""Which node a pod gets, and what is said when there is none."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.scheduler.decide import decide
from tests.scheduler.builders import node, pending, picture, pod, replicas

GPU = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
SOFT = {"key": "gpu", "value": "yes", "effect": "PreferNoSchedule"}
ZONE = "topology.kubernetes.io/zone"
NO_CLAIMS = "no new claims to deallocate, preemption: "


def required(*terms):
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def where(wanted, nodes, placed=()):
    """The node that `wanted` gets, or "" for none."""
    decision = decide([pending(wanted)], picture(nodes, list(placed)))
    return decision.placements[0].node if decision.placements else ""


A, B = node("a", labels={"disk": "ssd", "size": "4"}), node("b", labels={"size": "16"})


@pytest.mark.parametrize(
    ("wanted", "nodes", "expect"),
    [
        pytest.param(pod(), [node("a")], "a", id="anything goes"),
        pytest.param(pod(cpu="3"), [node("a", cpu="2"), node("b", cpu="3")], "b", id="cpu"),
        pytest.param(pod(memory="3Gi"), [node("a", memory="2Gi"), node("b", memory="3Gi")], "b", id="memory"),
        pytest.param(
            pod(requests={"x.io/gpu": "1"}), [node("a"), node("b", allocatable={"x.io/gpu": "1"})], "b", id="gpu"
        ),
        pytest.param(pod(), [node("a", pods="0"), node("b")], "b", id="pods"),
        pytest.param(pod(), [node("a", unschedulable=True), node("b")], "b", id="cordoned"),
        pytest.param(pod(), [node("a", taints=[GPU]), node("b")], "b", id="tainted"),
        pytest.param(pod(), [node("a", taints=[SOFT]), node("b", cpu="1")], "b", id="rather not tainted"),
        pytest.param(pod(), [node("a", taints=[SOFT])], "a", id="soft taint if there is no other"),
        pytest.param(pod(tolerations=[{"operator": "Exists"}]), [node("a", taints=[GPU])], "a", id="tolerates all"),
        pytest.param(pod(tolerations=[{"key": "gpu", "value": "yes"}]), [node("a", taints=[GPU])], "a", id="tolerates"),
        pytest.param(pod(tolerations=[{"key": "gpu", "value": "no"}]), [node("a", taints=[GPU])], "", id="other value"),
        pytest.param(
            pod(tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}]),
            [node("a", taints=[GPU])],
            "",
            id="other effect",
        ),
        pytest.param(
            pod(tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]),
            [node("a", unschedulable=True)],
            "a",
            id="tolerates cordon",
        ),
        pytest.param(pod(nodeSelector={"disk": "ssd"}), [B, A], "a", id="nodeSelector"),
        pytest.param(pod(nodeSelector={"disk": "hdd"}), [B, A], "", id="nodeSelector without a match"),
        pytest.param(pod(affinity=required(expression("disk", "In", "hdd", "ssd"))), [B, A], "a", id="In"),
        pytest.param(pod(affinity=required(expression("disk", "NotIn", "ssd"))), [A, B], "b", id="NotIn takes absent"),
        pytest.param(pod(affinity=required(expression("disk", "Exists"))), [B, A], "a", id="Exists"),
        pytest.param(pod(affinity=required(expression("disk", "DoesNotExist"))), [A, B], "b", id="DoesNotExist"),
        pytest.param(pod(affinity=required(expression("size", "Gt", "4"))), [A, B], "b", id="Gt"),
        pytest.param(pod(affinity=required(expression("size", "Lt", "16"))), [B, A], "a", id="Lt"),
        pytest.param(pod(affinity=required(expression("disk", "Gt", "1"))), [A, B], "", id="Gt of no number"),
        pytest.param(pod(affinity=required({})), [A, B], "", id="empty term matches nothing"),
        pytest.param(
            pod(affinity=required(expression("size", "In", "1"), expression("size", "In", "16"))), [A, B], "b", id="or"
        ),
        pytest.param(
            pod(affinity=required({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]})),
            [A, B],
            "b",
            id="by name, as daemon sets do",
        ),
        pytest.param(
            pod(
                affinity={
                    "nodeAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 10, "preference": expression("size", "In", "16")},
                            {"weight": 5, "preference": expression("disk", "In", "ssd")},
                        ]
                    }
                }
            ),
            [A, B],
            "b",
            id="preferred, by weight",
        ),
        pytest.param(pod(), [node("a", cpu="2"), node("b", cpu="8", memory="16Gi")], "b", id="the emptier one"),
        pytest.param(
            pod(cpu="2", memory="1Gi"),
            [node("a", cpu="4", memory="4Gi"), node("b", cpu="4", memory="2Gi")],
            "b",
            id="balanced",
        ),
    ],
)
def test_node(wanted, nodes, expect):
    assert where(wanted, nodes) == expect


@pytest.mark.parametrize(
    ("ours", "theirs", "fits"),
    [
        pytest.param({"hostPort": 80}, {"hostPort": 80}, False, id="same"),
        pytest.param({"hostPort": 80}, {"hostPort": 81}, True, id="other port"),
        pytest.param({"hostPort": 80, "protocol": "UDP"}, {"hostPort": 80}, True, id="other protocol"),
        pytest.param(
            {"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, True, id="other ip"
        ),
        pytest.param({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80}, False, id="all addresses there"),
        pytest.param({"hostPort": 80}, {"hostPort": 80, "hostIP": "10.0.0.1"}, False, id="all addresses here"),
        pytest.param({"containerPort": 80}, {"containerPort": 80}, True, id="no host port"),
    ],
)
def test_host_ports(ours, theirs, fits):
    there = pod("old", ports=[theirs], on="a")
    assert where(pod(ports=[ours]), [node("a")], [there]) == ("a" if fits else "")


def test_pods_of_one_batch_do_not_share_a_host_port():
    decision = decide(replicas(3, ports=[{"hostPort": 80}]), picture([node("a"), node("b")]))
    assert sorted(placement.node for placement in decision.placements) == ["a", "b"]
    assert [rejection.message for rejection in decision.rejections] == [
        "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports. "
        f"{NO_CLAIMS}0/2 nodes are available: 2 No preemption victims found for incoming pod."
    ]


@pytest.mark.parametrize(
    ("wanted", "nodes", "message", "filters"),
    [
        pytest.param(pod(), [], "no nodes available to schedule pods", set(), id="no nodes at all"),
        pytest.param(
            pod(cpu="3"),
            [node("a", taints=[GPU]), node("b", cpu="2"), node("c", cpu="2")],
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
            f"{NO_CLAIMS}0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
            {"TaintToleration", "NodeResourcesFit"},
            id="node by node",
        ),
        pytest.param(
            pod(cpu="3", memory="9Gi"),
            [node("a", cpu="2"), node("b", unschedulable=True)],
            "0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) were unschedulable. "
            f"{NO_CLAIMS}0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
            {"NodeUnschedulable", "NodeResourcesFit"},
            id="two reasons of one node",
        ),
        pytest.param(
            pod(nodeSelector={"disk": "ssd"}, preemptionPolicy="Never"),
            [node("a", pods="0")],
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. "
            f"{NO_CLAIMS}not eligible due to preemptionPolicy=Never.",
            {"NodeAffinity"},
            id="never preempts",
        ),
        pytest.param(
            pod(requests={"x.io/gpu": "1"}),
            [node("a", pods="0")],
            "0/1 nodes are available: 1 Insufficient x.io/gpu, 1 Too many pods. "
            f"{NO_CLAIMS}0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            {"NodeResourcesFit"},
            id="too many pods",
        ),
    ],
)
def test_refusal(wanted, nodes, message, filters):
    decision = decide([pending(wanted)], picture(nodes))
    assert [(one.message, one.filters) for one in decision.rejections] == [(message, frozenset(filters))]


def test_preemption_could_help_where_the_node_is_only_full():
    full = picture([node("a", cpu="2")], [pod("old", cpu="2", on="a")])
    [rejection] = decide([pending(pod(cpu="1"))], full).rejections
    assert rejection.message.endswith(
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


def test_higher_priority_goes_first_and_equals_in_order():
    pods = [pending(pod("late", cpu="3")), pending(pod("vip", cpu="3", priority=10)), pending(pod("later", cpu="3"))]
    decision = decide(pods, picture([node("a"), node("b")]))
    assert [placement.pod.key for placement in decision.placements] == ["default/vip", "default/late"]
    assert [rejection.pod.key for rejection in decision.rejections] == ["default/later"]


def test_pods_of_an_owner_spread_over_nodes_even_where_one_is_much_larger():
    decision = decide(replicas(6, owner="rs"), picture([node("a"), node("b"), node("big", cpu="64", memory="256Gi")]))
    assert collections.Counter(placement.node for placement in decision.placements) == {"a": 2, "b": 2, "big": 2}


def test_pods_of_an_owner_spread_over_zones():
    nodes = [node("a1", labels={ZONE: "a"}), node("a2", labels={ZONE: "a"}), node("b1", labels={ZONE: "b"})]
    decision = decide(replicas(4, owner="rs"), picture(nodes))
    assert collections.Counter(placement.node[0] for placement in decision.placements) == {"a": 2, "b": 2}


def test_pods_already_there_count_for_spreading():
    there = [pod(f"old-{i}", owner="rs", on="a") for i in range(2)]
    decision = decide(replicas(2, owner="rs"), picture([node("a"), node("b")], there))
    assert [placement.node for placement in decision.placements] == ["b", "b"]


sizes = st.integers(1, 8)


@given(
    nodes=st.lists(sizes, min_size=1, max_size=5),
    pods=st.lists(st.tuples(sizes, st.integers(0, 2), st.sampled_from(["", "rs"])), max_size=20),
)
def test_never_more_than_a_node_has_and_no_pod_refused_that_fits(nodes, pods):
    seen = picture([node(f"n{i}", cpu=str(cpu)) for i, cpu in enumerate(nodes)])
    wanted = [
        pending(pod(f"p{i}", cpu=str(cpu), priority=priority, owner=owner))
        for i, (cpu, priority, owner) in enumerate(pods)
    ]
    decision = decide(wanted, seen)
    assert len(decision.placements) + len(decision.rejections) == len(wanted)
    left = {f"n{i}": cpu * 1000 for i, cpu in enumerate(nodes)}
    for placement in decision.placements:
        left[placement.node] -= placement.pod.shape.amounts["cpu"]
    assert min(left.values()) >= 0
    for rejection in decision.rejections:
        assert rejection.pod.shape.amounts["cpu"] > max(left.values())


@given(pods=st.lists(st.tuples(sizes, st.sampled_from(["", "rs"])), max_size=12))
def test_one_batch_decides_as_one_pod_after_another_does(pods):
    """Updating an evaluation in place gives what a fresh evaluation would."""
    nodes = [node("a", labels={ZONE: "x"}), node("b", cpu="8", labels={ZONE: "y"}), node("c", memory="4Gi")]
    wanted = sorted(
        (pending(pod(f"p{i}", cpu=f"{cpu}00m", owner=owner)) for i, (cpu, owner) in enumerate(pods)),
        key=lambda one: (one.shape.amounts["cpu"], one.shape.group.owner_uid),
    )
    together, apart = picture(nodes), picture(nodes)
    decision = decide([type(one)(one.key, wanted[0].shape) for one in wanted], together)
    one_by_one = [decide([type(one)(one.key, wanted[0].shape)], apart) for one in wanted]
    assert list(decision.placements) == [placement for single in one_by_one for placement in single.placements]


BY_NAME = {"key": "metadata.name", "operator": "In"}


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        pytest.param(
            [{"matchFields": [{**BY_NAME, "values": ["a"]}]}],
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
            id="one",
        ),
        pytest.param(
            [{"matchFields": [{**BY_NAME, "values": ["nowhere"]}]}],
            "0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [NodeAffinity].",
            id="none that is there",
        ),
        pytest.param(
            [{"matchFields": [{**BY_NAME, "values": ["a"]}, {**BY_NAME, "values": ["b"]}]}],
            "0/3 nodes are available: pod affinity terms conflict.",
            id="at odds",
        ),
        pytest.param(
            [{"matchFields": [{**BY_NAME, "values": ["a"]}]}, expression("disk", "Exists")],
            "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), "
            "1 node(s) didn't match Pod's node affinity/selector.",
            id="or a label",
        ),
    ],
)
def test_nodes_that_are_named(terms, message):
    nodes = [node("a"), node("b"), node("c", taints=[GPU])]
    [rejection] = decide([pending(pod(cpu="100", affinity=required(*terms)))], picture(nodes)).rejections
    told = rejection.message.partition(" no new claims")[0]
    reasons = told.removesuffix(".").removeprefix("0/3 nodes are available: ")
    assert sorted(reasons.split(", ")) == sorted(
        message.removesuffix(".").removeprefix("0/3 nodes are available: ").split(", ")
    )


def with_images(name, **images):
    """Sizes in MiB by name."""
    listed = [
        {"names": [f"x/{image}:latest", f"x/{image}@sha256:1"], "sizeBytes": size << 20}
        for image, size in images.items()
    ]
    found = node(name)
    return {**found, "status": {**found["status"], "images": listed}}


@pytest.mark.parametrize(
    ("images", "nodes", "expect"),
    [
        pytest.param(["x/a"], [with_images("n1"), with_images("n2", a=300)], "n2", id="where it is"),
        pytest.param(["x/a:latest"], [with_images("n1"), with_images("n2", a=300)], "n2", id="by its tag"),
        pytest.param(["x/a:1"], [with_images("n1"), with_images("n2", a=300)], "n1", id="another tag"),
        pytest.param(["x/a"], [with_images("n1"), with_images("n2", a=20)], "n1", id="too small to matter"),
        pytest.param(["x/a", "x/b"], [with_images("n1", a=200), with_images("n2", b=900)], "n2", id="the larger"),
    ],
)
def test_rather_where_images_are(images, nodes, expect):
    wanted = pod()
    wanted["spec"]["containers"] = [{"name": f"c{number}", "image": name} for number, name in enumerate(images)]
    assert where(wanted, nodes) == expect


def test_images_come_and_go():
    snapshot = picture([with_images("n1"), with_images("n2")])
    wanted = pod()
    wanted["spec"]["containers"][0]["image"] = "x/a"
    assert not snapshot.set_node(with_images("n2", a=300))
    assert decide([pending(wanted)], snapshot).placements[0].node == "n2"
    snapshot.remove_pod("default/web-1")
    snapshot.set_node(with_images("n2"))
    assert decide([pending(wanted)], snapshot).placements[0].node == "n1"
