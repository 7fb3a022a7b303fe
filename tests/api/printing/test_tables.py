import datetime

import pytest

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.printing import tables
from tests.api import builders
from tests.controllers.horizontal_pod_autoscaler.builders import autoscaler, cpu, external

NOW = datetime.datetime(2026, 1, 1, 0, 5, tzinfo=datetime.UTC)
CREATED = {"creationTimestamp": "2026-01-01T00:00:00Z"}


def _row(kind, obj):
    obj["metadata"] |= CREATED
    headers = [column["name"].upper() for column in tables.column_definitions(kind)]
    return dict(zip(headers, tables.row(kind, obj, NOW)["cells"], strict=True))


@pytest.mark.parametrize("kind", list(kinds.BUILTIN), ids=lambda kind: kind.kind)
def test_every_kind_prints_also_when_empty(kind):
    row = _row(kind, builders.of_kind(kind))
    assert row["NAME"] == "x"


# The columns `kubectl get -o wide` shows.
HEADERS = {
    "nodes": (
        kinds.NODE,
        "NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME",
    ),
    "deployments": (kinds.DEPLOYMENT, "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR"),
    "services": (kinds.SERVICE, "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR"),
    "leases": (kinds.LEASE, "NAME HOLDER AGE"),
    "endpointslices": (kinds.ENDPOINT_SLICE, "NAME ADDRESSTYPE PORTS ENDPOINTS AGE"),
}


@pytest.mark.parametrize(("kind", "headers"), HEADERS.values(), ids=HEADERS.keys())
def test_headers(kind, headers):
    assert " ".join(column["name"].upper() for column in tables.column_definitions(kind)) == headers


def test_descriptions_come_from_the_schema():
    columns = {column["name"]: column for column in tables.column_definitions(kinds.POD)}
    assert columns["IP"]["description"].startswith("podIP address allocated to the pod")
    assert columns["Name"]["format"] == "name"
    assert [column["priority"] for column in columns.values()] == [0] * 5 + [1] * 4


def test_deployment():
    obj = builders.deployment(replicas=3)
    obj["status"] = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}
    assert _row(kinds.DEPLOYMENT, obj) == {
        "NAME": "web", "READY": "2/3", "UP-TO-DATE": 3, "AVAILABLE": 2, "AGE": "5m",
        "CONTAINERS": "main", "IMAGES": "localhost/hello:1", "SELECTOR": "app=web",
    }  # fmt: skip


def test_node():
    obj = builders.of_kind(kinds.NODE, "node-0", spec={"unschedulable": True})
    obj["metadata"]["labels"] = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "a"}
    obj["status"] = {
        "conditions": [{"type": "Ready", "status": "Unknown"}],
        "addresses": [{"type": "InternalIP", "address": "172.30.0.2"}],
        "nodeInfo": {"kubeletVersion": "v1.37.0"},
    }
    row = _row(kinds.NODE, obj)
    assert row["STATUS"] == "NotReady,SchedulingDisabled"
    assert row["ROLES"] == "a,control-plane"
    assert (row["VERSION"], row["INTERNAL-IP"], row["EXTERNAL-IP"]) == ("v1.37.0", "172.30.0.2", "<none>")
    assert row["OS-IMAGE"] == "<unknown>"
    assert _row(kinds.NODE, builders.of_kind(kinds.NODE))["STATUS"] == "Unknown"


SERVICES = {
    "cluster": ({"type": "ClusterIP", "clusterIPs": ["10.96.0.9"]}, ("10.96.0.9", "<none>")),
    "headless": ({"type": "ClusterIP", "clusterIPs": ["None"]}, ("None", "<none>")),
    "external name": ({"type": "ExternalName", "externalName": "example.com"}, ("<none>", "example.com")),
    "balancer": ({"type": "LoadBalancer", "clusterIPs": ["10.96.0.9"]}, ("10.96.0.9", "<pending>")),
    "external address": ({"type": "ClusterIP", "externalIPs": ["1.2.3.4"]}, ("<none>", "1.2.3.4")),
}


@pytest.mark.parametrize(("spec", "expect"), SERVICES.values(), ids=SERVICES.keys())
def test_service_addresses(spec, expect):
    row = _row(kinds.SERVICE, builders.service(**spec))
    assert (row["CLUSTER-IP"], row["EXTERNAL-IP"]) == expect


def test_service_ports():
    ports = [{"port": 80, "protocol": "TCP"}, {"port": 53, "nodePort": 30053, "protocol": "UDP"}]
    assert _row(kinds.SERVICE, builders.service(ports=ports))["PORT(S)"] == "80/TCP,53:30053/UDP"
    assert _row(kinds.SERVICE, builders.service(ports=[]))["PORT(S)"] == "<none>"


def test_endpoints_list_three():
    addresses = [{"ip": f"10.0.0.{n}"} for n in range(5)]
    obj = builders.of_kind(kinds.ENDPOINTS, subsets=[{"addresses": addresses, "ports": [{"port": 80}]}])
    assert _row(kinds.ENDPOINTS, obj)["ENDPOINTS"] == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."
    assert _row(kinds.ENDPOINTS, builders.of_kind(kinds.ENDPOINTS))["ENDPOINTS"] == "<none>"
    six = builders.of_kind(kinds.ENDPOINTS, subsets=[{"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 80}]}])
    assert _row(kinds.ENDPOINTS, six)["ENDPOINTS"] == "[fd00::1]:80"


def test_endpoint_slices():
    obj = builders.of_kind(
        kinds.ENDPOINT_SLICE,
        addressType="IPv4",
        ports=[{"port": 80}, {"name": "x"}],
        endpoints=[{"addresses": ["10.0.0.1"]}],
    )
    row = _row(kinds.ENDPOINT_SLICE, obj)
    assert (row["PORTS"], row["ENDPOINTS"]) == ("80,x", "10.0.0.1")
    assert _row(kinds.ENDPOINT_SLICE, builders.of_kind(kinds.ENDPOINT_SLICE))["PORTS"] == "<unset>"


def test_events():
    obj = builders.of_kind(
        kinds.EVENT, "e", type="Normal", reason="Pulled", message=" ok \n", source={"component": "kubelet", "host": "n1"},
        involvedObject={"kind": "Pod", "name": "web", "fieldPath": "spec.containers{main}"},
        firstTimestamp="2026-01-01T00:00:00Z", lastTimestamp="2026-01-01T00:04:30Z", count=4,
    )  # fmt: skip
    assert _row(kinds.EVENT, obj) == {
        "LAST SEEN": "30s", "TYPE": "Normal", "REASON": "Pulled", "OBJECT": "pod/web", "SUBOBJECT": "spec.containers{main}",
        "SOURCE": "kubelet, n1", "MESSAGE": "ok", "FIRST SEEN": "5m", "COUNT": 4, "NAME": "e",
    }  # fmt: skip


def test_bindings():
    subjects = [
        {"kind": "User", "name": "u"}, {"kind": "Group", "name": "g"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
    ]  # fmt: skip
    obj = builders.of_kind(kinds.ROLE_BINDING, roleRef={"kind": "Role", "name": "r"}, subjects=subjects)
    row = _row(kinds.ROLE_BINDING, obj)
    assert (row["ROLE"], row["USERS"], row["GROUPS"], row["SERVICEACCOUNTS"]) == ("Role/r", "u", "g", "n/s")


def test_the_table_itself():
    pod = builders.pod()
    table = tables.table(kinds.POD, [pod], NOW, metadata={"resourceVersion": "7"})
    assert (table["kind"], table["apiVersion"], table["metadata"]) == (
        "Table",
        "meta.k8s.io/v1",
        {"resourceVersion": "7"},
    )
    assert table["rows"][0]["object"] == {
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": pod["metadata"],
    }  # fmt: skip
    assert tables.row(kinds.POD, pod, NOW, "Object")["object"] == pod
    assert tables.row(kinds.POD, pod, NOW, "None")["object"] is None
    assert tables.table(kinds.POD, [pod], NOW, headers=False)["columnDefinitions"] is None


def test_kinds_without_columns_show_name_and_age():
    custom = Kind("example.com", "v1", "Widget", "widgets", "widget")
    obj = {"metadata": {"name": "w", **CREATED}}
    assert _row(custom, obj) == {"NAME": "w", "AGE": "5m"}


def test_quotas_and_budgets():
    quota = builders.of_kind(kinds.RESOURCE_QUOTA)
    quota["status"] = {"hard": {"pods": "5", "limits.cpu": "2", "cpu": "1"}, "used": {"pods": "3", "cpu": "500m"}}
    assert _row(kinds.RESOURCE_QUOTA, quota) == {
        "NAME": "x", "REQUEST": "cpu: 500m/1, pods: 3/5", "LIMIT": "limits.cpu: 0/2", "AGE": "5m",
    }  # fmt: skip
    budget = builders.of_kind(
        kinds.POD_DISRUPTION_BUDGET, spec={"minAvailable": "50%"}, status={"disruptionsAllowed": 2}
    )
    assert _row(kinds.POD_DISRUPTION_BUDGET, budget) == {
        "NAME": "x", "MIN AVAILABLE": "50%", "MAX UNAVAILABLE": "N/A", "ALLOWED DISRUPTIONS": 2, "AGE": "5m",
    }  # fmt: skip


def test_autoscalers():
    metrics = [cpu(50), external(type="AverageValue", averageValue="10"), cpu(1)]
    found = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}
    obj = autoscaler(*metrics, status={"currentReplicas": 3, "currentMetrics": [found]})
    assert _row(kinds.HORIZONTAL_POD_AUTOSCALER, obj) == {
        "NAME": "h", "REFERENCE": "Deployment/web", "TARGETS": "cpu: 7%/50%, <unknown>/10 (avg) + 1 more...",
        "MINPODS": "1", "MAXPODS": 10, "REPLICAS": 3, "AGE": "5m",
    }  # fmt: skip
