"""How far a rollout is, in words."""

from typing import Any

import pytest

from steersman.kubectl import rollout_progress
from steersman.kubectl.rollout_progress import Progress, RolloutError


def deployment(generation: int = 1, wanted: int | None = 3, conditions: Any = (), **status: Any) -> dict[str, Any]:
    meta = {"name": "web", "generation": generation, "annotations": {"deployment.kubernetes.io/revision": "2"}}
    status = {"observedGeneration": 1, "conditions": list(conditions), **status}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": wanted},
        "status": status,
    }


def daemon_set(strategy: str = "RollingUpdate", **status: Any) -> dict[str, Any]:
    spec = {"updateStrategy": {"type": strategy}}
    meta = {"name": "log", "generation": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": meta,
        "spec": spec,
        "status": {"observedGeneration": 1, **status},
    }


def stateful_set(partition: int | None = None, **status: Any) -> dict[str, Any]:
    strategy: dict[str, Any] = {"type": "RollingUpdate"}
    if partition is not None:
        strategy["rollingUpdate"] = {"partition": partition}
    spec = {"replicas": 3, "updateStrategy": strategy}
    meta = {"name": "db", "generation": 1}
    status = {"observedGeneration": 1, **status}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec, "status": status}


BEGIN = 'Waiting for deployment "web" rollout to finish:'
DAEMONS = 'Waiting for daemon set "log" rollout to finish:'


@pytest.mark.parametrize(
    ("obj", "text", "done"),
    [
        (deployment(generation=2), "Waiting for deployment spec update to be observed...\n", False),
        (deployment(), f"{BEGIN} 0 out of 3 new replicas have been updated...\n", False),
        (
            deployment(updatedReplicas=3, replicas=5),
            f"{BEGIN} 2 old replicas are pending termination...\n",
            False,
        ),
        (
            deployment(updatedReplicas=3, replicas=3, availableReplicas=1),
            f"{BEGIN} 1 of 3 updated replicas are available...\n",
            False,
        ),
        (
            deployment(updatedReplicas=3, replicas=3, availableReplicas=3),
            'deployment "web" successfully rolled out\n',
            True,
        ),
        (
            daemon_set(desiredNumberScheduled=2, updatedNumberScheduled=1),
            f"{DAEMONS} 1 out of 2 new pods have been updated...\n",
            False,
        ),
        (
            daemon_set(desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=1),
            f"{DAEMONS} 1 of 2 updated pods are available...\n",
            False,
        ),
        (
            daemon_set(desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=2),
            'daemon set "log" successfully rolled out\n',
            True,
        ),
        (stateful_set(observedGeneration=0), "Waiting for statefulset spec update to be observed...\n", False),
        (stateful_set(readyReplicas=1), "Waiting for 2 pods to be ready...\n", False),
        (
            stateful_set(partition=1, readyReplicas=3, updatedReplicas=1),
            "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...\n",
            False,
        ),
        (
            stateful_set(partition=0, readyReplicas=3, updatedReplicas=3),
            "partitioned roll out complete: 3 new pods have been updated...\n",
            True,
        ),
        (
            stateful_set(readyReplicas=3, updatedReplicas=1, currentRevision="a", updateRevision="b"),
            "waiting for statefulset rolling update to complete 1 pods at revision b...\n",
            False,
        ),
        (
            stateful_set(readyReplicas=3, currentReplicas=3, currentRevision="b", updateRevision="b"),
            "statefulset rolling update complete 3 pods at revision b...\n",
            True,
        ),
    ],
)
def test_progress(obj: dict[str, Any], text: str, done: bool) -> None:
    assert rollout_progress.progress(obj) == Progress(text, done)


TOO_LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


@pytest.mark.parametrize(
    ("obj", "revision", "why"),
    [
        (deployment(conditions=[TOO_LATE]), 0, 'deployment "web" exceeded its progress deadline'),
        (deployment(), 1, "desired revision (1) is different from the running revision (2)"),
        (daemon_set("OnDelete"), 0, "rollout status is only available for RollingUpdate strategy type"),
    ],
)
def test_failures(obj: dict[str, Any], revision: int, why: str) -> None:
    with pytest.raises(RolloutError) as failed:
        rollout_progress.progress(obj, revision)
    assert str(failed.value) == why


def test_kinds_without_a_rollout() -> None:
    rollout_progress.check_kind("apps", "DaemonSet")
    with pytest.raises(RolloutError, match=r"^no status viewer has been implemented for ReplicaSet.apps$"):
        rollout_progress.check_kind("apps", "ReplicaSet")
    with pytest.raises(RolloutError, match=r"^no status viewer has been implemented for Pod$"):
        rollout_progress.check_kind("", "Pod")
