import pytest

from steersman.api import kinds, strategies
from tests.api import builders


def test_a_new_object_has_an_empty_status_and_an_update_keeps_it():
    new = builders.deployment() | {"status": {"replicas": 9}}
    strategies.drop_status(new, None)
    assert new["status"] == {}
    new["status"] = {"replicas": 9}
    strategies.drop_status(new, builders.deployment() | {"status": {"replicas": 1}})
    assert new["status"] == {"replicas": 1}


def test_a_status_write_changes_the_status_alone():
    old = builders.deployment(replicas=1)
    old["metadata"]["labels"] = {"a": "1"}
    new = builders.deployment(replicas=5) | {"status": {"replicas": 5}, "extra": 1}
    new["metadata"] = {**new["metadata"], "labels": {"a": "2"}, "annotations": {"x": "y"}}
    strategies.keep_all_but_status(new, old)
    assert new["spec"] == old["spec"]
    assert new["status"] == {"replicas": 5}
    assert new["metadata"]["labels"] == {"a": "1"}
    assert "extra" not in new


def test_a_kubelet_may_label_through_the_status():
    old, new = builders.pod(), builders.pod(status={"phase": "Running"})
    new["metadata"] = {**new["metadata"], "labels": {"a": "2"}, "ownerReferences": [{"name": "x"}]}
    strategies.keep_all_but_status_and_labels(new, old)
    assert new["metadata"]["labels"] == {"a": "2"}
    assert "ownerReferences" not in new["metadata"]


def test_a_pod_begins_pending_whatever_it_says():
    pod = builders.stored(kinds.POD, builders.pod(status={"phase": "Running"}))
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_a_gated_pod_says_so():
    pod = builders.stored(kinds.POD, builders.pod(schedulingGates=[{"name": "a/b"}]))
    assert pod["status"]["conditions"][0]["reason"] == "SchedulingGated"


BOTH = {"cpu": "1", "memory": "1Gi"}
CLASSES = {
    "nothing": ([{}], "BestEffort"),
    "zero is nothing": ([{"requests": {"cpu": "0"}}], "BestEffort"),
    "limits alone": ([{"limits": BOTH}], "Guaranteed"),
    "equal": ([{"limits": BOTH, "requests": {"cpu": "1000m", "memory": "1024Mi"}}], "Guaranteed"),
    "less": ([{"limits": BOTH, "requests": {"cpu": "500m"}}], "Burstable"),
    "one limit": ([{"limits": {"cpu": "1"}}], "Burstable"),
    "one container without": ([{"limits": BOTH}, {}], "Burstable"),
    "requests alone": ([{"requests": BOTH}], "Burstable"),
}


@pytest.mark.parametrize(("resources", "expect"), CLASSES.values(), ids=CLASSES.keys())
def test_quality_of_service(resources, expect):
    assert strategies.qos_class({"containers": [{"resources": one} for one in resources]}) == expect


GRACE = {
    "not on a node": (builders.pod(terminationGracePeriodSeconds=5), None),
    "running": (builders.pod(nodeName="n", terminationGracePeriodSeconds=5), 5),
    "by default": (builders.pod(nodeName="n"), 30),
    "at once": (builders.pod(nodeName="n", terminationGracePeriodSeconds=0), 0),
    "negative": (builders.pod(nodeName="n", terminationGracePeriodSeconds=-5), 1),
    "finished": (builders.pod(nodeName="n", status={"phase": "Failed"}), None),
}


@pytest.mark.parametrize(("pod", "seconds"), GRACE.values(), ids=GRACE.keys())
def test_grace(pod, seconds):
    assert strategies.grace_of_pod(pod) == seconds


def test_only_finalize_removes_a_namespaces_finalizer():
    old = builders.stored(kinds.NAMESPACE, {"metadata": {"name": "team"}})
    new = {"metadata": {"name": "team"}, "spec": {"finalizers": []}, "status": {"phase": "Terminating"}}
    strategies.prepare_namespace(new, old)
    assert (new["spec"], new["status"]) == (old["spec"], old["status"])


def test_a_node_registers_with_a_status():
    node = {"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "2"}}}
    assert builders.stored(kinds.NODE, node)["status"]["allocatable"] == {"cpu": "2"}
    again = {"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "9"}}}
    strategies.prepare_node(again, {"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "2"}}})
    assert again["status"] == {"capacity": {"cpu": "2"}}


def test_an_update_keeps_what_was_allocated():
    old = builders.service(
        type="NodePort", clusterIP="10.96.0.9", clusterIPs=["10.96.0.9"], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack",
        ports=[{"port": 80, "protocol": "TCP", "nodePort": 30080}],
    )  # fmt: skip
    new = builders.service(type="NodePort", ports=[{"port": 80}, {"port": 81}])
    strategies.prepare_service(new, old)
    assert (new["spec"]["clusterIP"], new["spec"]["clusterIPs"]) == ("10.96.0.9", ["10.96.0.9"])
    assert [port.get("nodePort") for port in new["spec"]["ports"]] == [30080, None]
    external = builders.service(type="ExternalName", externalName="x", clusterIP="10.96.0.9")
    strategies.prepare_service(external, old)
    assert "clusterIP" not in external["spec"]
