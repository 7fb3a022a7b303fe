"""Nodes: what their pods take, in exact percentages."""

from typing import Any

import pytest

from steersman.kubectl.describe import pod_amounts
from steersman.kubectl.describe.writing import Seen
from tests.kubectl.describe.test_writing import NOW, described


def container(
    requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    return {"name": more.pop("name", "c"), "resources": {"requests": requests or {}, "limits": limits or {}}, **more}


def pod(*containers: Any, init: Any = (), **more: Any) -> dict[str, Any]:
    spec = {"containers": list(containers), "initContainers": list(init), **more.pop("spec", {})}
    return {"metadata": {"name": "p", "namespace": "n"}, "spec": spec, **more}


CPU_1 = container({"cpu": "1"})


@pytest.mark.parametrize(
    ("given", "cpu"),
    [
        pytest.param(pod(CPU_1, CPU_1), "2", id="containers add up"),
        pytest.param(pod(CPU_1, init=[container({"cpu": "3"})]), "3", id="an init container may need more"),
        pytest.param(
            pod(CPU_1, init=[container({"cpu": "500m"}, restartPolicy="Always"), container({"cpu": "2"})]),
            "2500m",
            id="beside a sidecar",
        ),
        pytest.param(
            pod(CPU_1, init=[container({"cpu": "5m"}, restartPolicy="Always")]), "1005m", id="sidecars add up"
        ),
        pytest.param(pod(CPU_1, spec={"overhead": {"cpu": "10m"}}), "1010m", id="overhead"),
        pytest.param(pod(CPU_1, spec={"resources": {"requests": {"cpu": "4"}}}), "4", id="of the pod as a whole"),
        pytest.param(
            pod(
                CPU_1,
                status={"containerStatuses": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]},
            ),
            "2",
            id="not yet smaller",
        ),
    ],
)
def test_requests(given: dict[str, Any], cpu: str) -> None:
    assert str(pod_amounts.requests(given)["cpu"]) == cpu


def test_overhead_adds_to_limits_that_are_there() -> None:
    given = pod(container(limits={"cpu": "1"}), spec={"overhead": {"cpu": "10m", "memory": "1Mi"}})
    assert {key: str(value) for key, value in pod_amounts.limits(given).items()} == {"cpu": "1010m"}


def test_a_node_and_its_pods() -> None:
    node = {
        "kind": "Node",
        "metadata": {"name": "n1", "labels": {"node-role.kubernetes.io/worker": ""}},
        "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"cpu": "3", "memory": "1Gi", "example.com/gpu": "2"}},
    }
    busy = pod(container({"cpu": "1", "memory": "100Mi", "example.com/gpu": "1"}, {"cpu": "2"}))
    text = described("", node, Seen(NOW, pods=[busy], others={"lease_error": "gone"}))
    assert "Roles:              worker\n" in text
    assert "Taints:             k:NoSchedule\n" in text
    assert "Lease:              Failed to get lease: gone\n" in text
    assert (
        "  n                           p       1 (33%)       2 (66%)     100Mi (9%)       0 (0%)         <unknown>\n"
        in text
    )
    assert text.endswith(
        "  Resource           Requests    Limits\n"
        "  --------           --------    ------\n"
        "  cpu                1 (33%)     2 (66%)\n"
        "  memory             100Mi (9%)  0 (0%)\n"
        "  ephemeral-storage  0 (0%)      0 (0%)\n"
        "  example.com/gpu    1           0\n"
    )


def test_who_may_not_see_pods() -> None:
    text = described("", {"kind": "Node", "metadata": {"name": "n"}}, Seen(NOW, pods_error="forbidden"))
    assert "Pods:                         not authorized\n" in text
