"""What objects use, by the names quotas have for it."""

import datetime

import pytest

from steersman.api.quotas import evaluators, lists, scopes
from tests.api import builders

NOW = datetime.datetime(2026, 1, 1, 0, 5, tzinfo=datetime.UTC)


def used(obj, plural="pods", group=""):
    evaluator = evaluators.of(group, plural)
    assert evaluator is not None
    return lists.format(evaluator.usage(obj, NOW))


def container(name="main", requests=None, limits=None, **fields):
    return {"name": name, "resources": {"requests": requests or {}, "limits": limits or {}}, **fields}


ASKED = {
    "cpu": "500m",
    "memory": "252Mi",
    "ephemeral-storage": "30Gi",
    "example.com/dongle": "2",
    "hugepages-2Mi": "4Mi",
}

PODS = {
    "nothing asked": ({}, {"count/pods": "1", "pods": "1"}),
    "everything": (
        {"containers": [container(requests=ASKED, limits={"cpu": "1", "memory": "1Gi", "example.com/dongle": "2"})]},
        {
            "count/pods": "1", "pods": "1", "cpu": "500m", "requests.cpu": "500m", "memory": "252Mi",
            "requests.memory": "252Mi", "ephemeral-storage": "30Gi", "requests.ephemeral-storage": "30Gi",
            "requests.example.com/dongle": "2", "hugepages-2Mi": "4Mi", "requests.hugepages-2Mi": "4Mi",
            "limits.cpu": "1", "limits.memory": "1Gi",
        },
    ),
    "two containers and a larger init container": (
        {
            "containers": [container("a", {"cpu": "100m"}), container("b", {"cpu": "200m"})],
            "initContainers": [container("i", {"cpu": "1"}), container("s", {"cpu": "50m"}, restartPolicy="Always")],
        },
        {"count/pods": "1", "pods": "1", "cpu": "1", "requests.cpu": "1"},
    ),
    "overhead, and what the pod itself says": (
        {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}, "overhead": {"cpu": "250m", "memory": "1Mi"}},
        {
            "count/pods": "1", "pods": "1", "cpu": "2250m", "requests.cpu": "2250m", "memory": "1Mi",
            "requests.memory": "1Mi", "limits.cpu": "2250m",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), PODS.values(), ids=PODS.keys())
def test_pods(spec, expect):
    assert used(builders.pod(**spec)) == expect


def test_a_pod_that_has_ended_is_only_an_object():
    assert used(builders.pod(status={"phase": "Succeeded"})) == {"count/pods": "1"}
    ghost = builders.pod()
    ghost["metadata"] |= {"deletionTimestamp": "2026-01-01T00:04:40Z", "deletionGracePeriodSeconds": 30}
    assert "pods" in used(ghost)
    ghost["metadata"]["deletionGracePeriodSeconds"] = 10
    assert used(ghost) == {"count/pods": "1"}


SERVICES = {
    "cluster ip": ({"type": "ClusterIP"}, "0", "0"),
    "node port": ({"type": "NodePort", "ports": [{"port": 1}, {"port": 2}]}, "2", "0"),
    "load balancer": ({"type": "LoadBalancer", "ports": [{"port": 1}]}, "1", "1"),
    "load balancer that takes no ports": (
        {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "ports": [{"port": 1}, {"port": 2, "nodePort": 3}],
        },
        "1",
        "1",
    ),
}


@pytest.mark.parametrize(("spec", "ports", "balancers"), SERVICES.values(), ids=SERVICES.keys())
def test_services(spec, ports, balancers):
    assert used(builders.service(**spec), "services") == {
        "services": "1", "count/services": "1", "services.nodeports": ports, "services.loadbalancers": balancers,
    }  # fmt: skip


def test_claims():
    claim = {
        "metadata": {"name": "c"},
        "spec": {"storageClassName": "gold", "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"allocatedResources": {"storage": "2Gi"}},
    }
    assert used(claim, "persistentvolumeclaims") == {
        "count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1", "requests.storage": "2Gi",
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "gold.storageclass.storage.k8s.io/requests.storage": "2Gi",
    }  # fmt: skip


def test_devices():
    requests = [
        {"name": "a", "exactly": {"deviceClassName": "gpu", "count": 2}},
        {
            "name": "b",
            "firstAvailable": [{"deviceClassName": "gpu", "count": 1}, {"deviceClassName": "nic", "count": 3}],
        },
        {"name": "c", "exactly": {"deviceClassName": "nic", "allocationMode": "All"}},
    ]
    claim = {"metadata": {"name": "c"}, "spec": {"devices": {"requests": requests}}}
    assert used(claim, "resourceclaims", "resource.k8s.io") == {
        "count/resourceclaims.resource.k8s.io": "1",
        "gpu.deviceclass.resource.k8s.io/devices": "3",
        "nic.deviceclass.resource.k8s.io/devices": "35",
    }


def test_everything_else_counts_by_number():
    assert used({"metadata": {}}, "secrets") == {"count/secrets": "1", "secrets": "1"}
    assert used({"metadata": {}}, "crontabs", "example.com") == {"count/crontabs.example.com": "1"}
    assert evaluators.of("", "events") is None


def scope(name, operator="Exists", *values):
    return {"scopeName": name, "operator": operator, "values": list(values)}


ANTI = {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaceSelector": {}, "topologyKey": "zone"}]}
SCOPES = {
    "terminating": (scope("Terminating"), {"activeDeadlineSeconds": 5}, {}),
    "not terminating": (scope("NotTerminating"), {}, {"activeDeadlineSeconds": 5}),
    "best effort": (scope("BestEffort"), {}, {"containers": [container(requests={"cpu": "1"})]}),
    "not best effort": (scope("NotBestEffort"), {"containers": [container(requests={"cpu": "1"})]}, {}),
    "a class": (scope("PriorityClass"), {"priorityClassName": "a"}, {}),
    "no class": (scope("PriorityClass", "DoesNotExist"), {}, {"priorityClassName": "a"}),
    "this class": (scope("PriorityClass", "In", "a", "b"), {"priorityClassName": "a"}, {"priorityClassName": "c"}),
    "another class": (scope("PriorityClass", "NotIn", "a"), {}, {"priorityClassName": "a"}),
    "other namespaces": (scope("CrossNamespacePodAffinity"), {"affinity": {"podAntiAffinity": ANTI}}, {}),
}


@pytest.mark.parametrize(("requirement", "inside", "outside"), SCOPES.values(), ids=SCOPES.keys())
def test_scopes(requirement, inside, outside):
    evaluator = evaluators.of("", "pods")
    assert evaluator is not None
    assert evaluator.is_in(requirement, builders.pod(**inside))
    assert not evaluator.is_in(requirement, builders.pod(**outside))


def test_plain_scopes_and_selectors_are_one_list():
    quota = {
        "spec": {"scopes": ["BestEffort"], "scopeSelector": {"matchExpressions": [scope("PriorityClass", "In", "a")]}}
    }
    assert [one["scopeName"] for one in scopes.of(quota)] == ["BestEffort", "PriorityClass"]


def test_attribute_classes_of_claims():
    evaluator = evaluators.of("", "persistentvolumeclaims")
    assert evaluator is not None
    claim = {
        "metadata": {},
        "spec": {"volumeAttributesClassName": "new"},
        "status": {"currentVolumeAttributesClassName": "old"},
    }
    assert evaluator.is_in(scope("VolumeAttributesClass", "In", "old"), claim)
    assert not evaluator.is_in(scope("VolumeAttributesClass", "In", "other"), claim)
