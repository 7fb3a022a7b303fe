"""Which pods a node refuses, and with what words."""

import dataclasses
from typing import Any

import pytest

from steersman.kubelet import admission
from tests.kubelet import world
from tests.kubelet.world import container, sidecar

ALLOCATABLE = {"cpu": "2", "memory": "1Gi", "ephemeral-storage": "10Gi", "pods": "3", "x.io/lost": "0"}


def asks(**requests: str) -> dict[str, Any]:
    return {"resources": {"requests": requests}}


def affinity(*expressions: dict[str, Any], field: str = "matchExpressions") -> dict[str, Any]:
    terms = [{field: [one]} for one in expressions]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def says(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def sysctl(name: str, **about: Any) -> dict[str, Any]:
    return {"securityContext": {"sysctls": [{"name": name, "value": "1"}]}, **about}


CPU_TEXT = "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "fits": ({"containers": [container(**asks(cpu="1"))]}, "", ""),
    "cpu": ({"containers": [container(**asks(cpu="1500m"))]}, "OutOfcpu", CPU_TEXT),
    "sidecars and main count together": (
        {"inits": [sidecar(**asks(cpu="900m"))], "containers": [container(**asks(cpu="600m"))]},
        "OutOfcpu",
        CPU_TEXT,
    ),
    "overhead counts": (
        {"containers": [container(**asks(cpu="1"))], "overhead": {"cpu": "500m"}},
        "OutOfcpu",
        CPU_TEXT,
    ),
    "memory": ({"containers": [container(**asks(memory="2Gi"))]}, "OutOfmemory", "requested: 2147483648"),
    "no huge pages": (
        {"containers": [container(**asks(**{"hugepages-2Mi": "4Mi"}))]},
        "OutOfhugepages-2Mi",
        "capacity: 0",
    ),
    "a device that is gone": (
        {"containers": [container(**asks(**{"x.io/lost": "1"}))]},
        "OutOfx.io/lost",
        "capacity: 0",
    ),
    "a device nobody has heard of": ({"containers": [container(**asks(**{"x.io/gpu": "1"}))]}, "", ""),
    "another system": ({"os": {"name": "windows"}}, "PodOSNotSupported", "the OS field doesn't match node OS"),
    "another system by its selector": (
        {"nodeSelector": {"kubernetes.io/os": "windows"}},
        "NodeAffinity",
        "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ),
    "neither room nor the right labels": (
        {"nodeSelector": {"disk": "hdd"}, "containers": [container(**asks(cpu="1500m"))]},
        "OutOfcpu",
        CPU_TEXT,
    ),
    "selector": ({"nodeSelector": {"disk": "ssd"}}, "", ""),
    "wrong selector": ({"nodeSelector": {"disk": "hdd"}}, "NodeAffinity", "didn't match Pod's node affinity"),
    "affinity": ({"affinity": affinity(says("disk", "In", "hdd"), says("size", "Gt", "4"))}, "", ""),
    "wrong affinity": ({"affinity": affinity(says("disk", "NotIn", "ssd"))}, "NodeAffinity", ""),
    "missing label": ({"affinity": affinity(says("zone", "Exists"))}, "NodeAffinity", ""),
    "no number": ({"affinity": affinity(says("disk", "Lt", "4"))}, "NodeAffinity", ""),
    "by name": ({"affinity": affinity(says("metadata.name", "In", "node-1"), field="matchFields")}, "", ""),
    "safe sysctl": (sysctl("kernel.shm_rmid_forced"), "", ""),
    "unsafe sysctl": (sysctl("kernel.msgmax"), "SysctlForbidden", 'forbidden sysctl: "kernel.msgmax" not allowlisted'),
    "allowed sysctl": (sysctl("net.core.somaxconn"), "", ""),
    "sysctl of the host": (
        sysctl("net.ipv4.tcp_syncookies", hostNetwork=True),
        "SysctlForbidden",
        "not allowed with host net enabled",
    ),
    "free port": ({"containers": [container(ports=[{"containerPort": 80, "hostPort": 8080}])]}, "", ""),
    "the same port of another protocol": (
        {"containers": [container(ports=[{"containerPort": 80, "hostPort": 80, "protocol": "UDP"}])]},
        "",
        "",
    ),
    "port of another address": (
        {"containers": [container(ports=[{"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.2"}])]},
        "",
        "",
    ),
    "taken port": (
        {"containers": [container(ports=[{"containerPort": 80, "hostPort": 80}])]},
        "NodePorts",
        "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    ),
    "AppArmor": (
        {"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}},
        "AppArmor",
        "Cannot enforce AppArmor: AppArmor is not enabled on the host",
    ),
    "AppArmor for one container": (
        {
            "containers": [
                container(securityContext={"appArmorProfile": {"type": "Localhost", "localhostProfile": "a"}})
            ]
        },
        "AppArmor",
        "Cannot enforce AppArmor: AppArmor is not enabled on the host",
    ),
    "no container wants the pod's AppArmor": (
        {
            "securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}},
            "containers": [container(securityContext={"appArmorProfile": {"type": "Unconfined"}})],
        },
        "",
        "",
    ),
    "no AppArmor wanted": ({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, "", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_refusals(case: str) -> None:
    about, reason, message = CASES[case]
    node = admission.Node(
        "node-1",
        {"disk": "ssd", "size": "8"},
        ALLOCATABLE,
        [{"cpu": 1000, "pods": 1}],
        ("net.core.*",),
        [("TCP", "10.0.0.1", 80)],
    )
    found = admission.decide(world.pod(**about), node)
    assert (found.reason if found else "") == reason
    assert message in (found.message if found else "")


def test_another_system_by_its_label() -> None:
    pod = world.pod()
    pod["metadata"]["labels"] = {"kubernetes.io/os": "windows"}
    assert admission.decide(pod, admission.Node("node-1", {}, ALLOCATABLE, [])) == admission.Refusal(
        "PodOSSelectorNodeLabelDoesNotMatch",
        "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    )


def test_groups_that_the_runtime_would_add() -> None:
    pod = world.pod(securityContext={"supplementalGroupsPolicy": "Strict"})
    node = admission.Node("node-1", {}, ALLOCATABLE, [], keeps_to_groups=False)
    assert admission.decide(pod, node) == admission.Refusal(
        "SupplementalGroupsPolicyNotSupported", "SupplementalGroupsPolicy=Strict is not supported in this node"
    )
    assert admission.decide(world.pod(securityContext={"supplementalGroupsPolicy": "Merge"}), node) is None
    assert admission.decide(pod, dataclasses.replace(node, keeps_to_groups=True)) is None


@pytest.mark.parametrize(
    ("tolerations", "is_static", "is_welcome"),
    [
        ([], False, False),
        ([], True, True),
        ([{"operator": "Exists"}], False, True),
        ([{"key": "gone", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2}], False, True),
        ([{"key": "gone", "value": "yes"}], False, True),
        ([{"key": "gone", "value": "no"}], False, False),
        ([{"key": "gone", "operator": "Exists", "effect": "NoSchedule"}], False, False),
        ([{"key": "other", "operator": "Exists"}], False, False),
    ],
)
def test_taints(tolerations: list[dict[str, Any]], is_static: bool, is_welcome: bool) -> None:
    """Those that only keep the scheduler away are not the kubelet's affair."""
    taints = [{"key": "gone", "value": "yes", "effect": "NoExecute"}, {"key": "full", "effect": "NoSchedule"}]
    pod = world.pod(tolerations=tolerations)
    if is_static:
        pod["metadata"]["annotations"] = {"kubernetes.io/config.source": "file"}
    found = admission.decide(pod, admission.Node("node-1", {}, ALLOCATABLE, [], taints=taints))
    text = "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
    assert found == (None if is_welcome else admission.Refusal("TaintToleration", text))


def test_app_armor_where_the_machine_has_it() -> None:
    node = admission.Node("node-1", {}, ALLOCATABLE, [], has_app_armor=True)
    assert admission.decide(world.pod(securityContext={"appArmorProfile": {"type": "RuntimeDefault"}}), node) is None


def test_a_full_node_takes_no_more_pods() -> None:
    node = admission.Node("node-1", {}, ALLOCATABLE, [{"pods": 1}] * 3)
    found = admission.decide(world.pod(), node)
    assert found == admission.Refusal(
        "OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3"
    )
