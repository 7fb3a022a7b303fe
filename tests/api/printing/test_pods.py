import datetime

import pytest

from steersman.api.printing import pods
from tests.api import builders

NOW = datetime.datetime(2026, 1, 1, 0, 5, tzinfo=datetime.UTC)


def _status(name="main", ready=False, restarts=0, last=None, started=None, **state):
    status = {"name": name, "ready": ready, "restartCount": restarts, "state": state}
    if last:
        status["lastState"] = {"terminated": {"finishedAt": last, "exitCode": 1}}
    if started is not None:
        status["started"] = started
    return status


def _pod(*statuses, phase="Running", init=(), deleted=False, reason="", conditions=(), **spec):
    status = {"phase": phase, "containerStatuses": list(statuses), "initContainerStatuses": list(init)}
    if conditions:
        status["conditions"] = [{"type": one, "status": "True"} for one in conditions]
    if reason:
        status["reason"] = reason
    pod = builders.pod(status=status, **spec)
    if deleted:
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:04:00Z"
    return pod


RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
TWO = [builders.container("a"), builders.container("b")]
INIT = [builders.container("i1"), builders.container("i2")]
SIDECAR = [builders.container("i1", restartPolicy="Always")]


def _ended(code=0, **more):
    return {"terminated": {"exitCode": code, **more}}


# name → (pod, READY, STATUS, RESTARTS)
CASES = {
    "just made": (_pod(phase="Pending"), "0/1", "Pending", "0"),
    "being made": (_pod(_status(waiting={"reason": "ContainerCreating"}), phase="Pending"), "0/1", "ContainerCreating", "0"),
    "running": (_pod(_status(ready=True, **RUNNING)), "1/1", "Running", "0"),
    "not ready": (_pod(_status(**RUNNING)), "0/1", "Running", "0"),
    "restarted": (
        _pod(_status(ready=True, restarts=3, last="2026-01-01T00:03:00Z", **RUNNING)), "1/1", "Running", "3 (2m ago)",
    ),
    "restarted, nobody knows when": (_pod(_status(ready=True, restarts=3, **RUNNING)), "1/1", "Running", "3"),
    "crashing": (
        _pod(_status(restarts=1, last="2026-01-01T00:04:00Z", waiting={"reason": "CrashLoopBackOff"})),
        "0/1", "CrashLoopBackOff", "1 (60s ago)",
    ),
    "no image": (_pod(_status(waiting={"reason": "ImagePullBackOff"}), phase="Pending"), "0/1", "ImagePullBackOff", "0"),
    "done": (_pod(_status(**_ended(reason="Completed")), phase="Succeeded"), "0/1", "Completed", "0"),
    "failed": (_pod(_status(**_ended(1, reason="Error")), phase="Failed"), "0/1", "Error", "0"),
    "exit code": (_pod(_status(**_ended(7)), phase="Failed"), "0/1", "ExitCode:7", "0"),
    "signal": (_pod(_status(**_ended(137, signal=9)), phase="Failed"), "0/1", "Signal:9", "0"),
    "second of two done, not ready": (
        _pod(_status("a", ready=True, **RUNNING), _status("b", **_ended(reason="Completed")), containers=TWO),
        "1/2", "NotReady", "0",
    ),
    "first of two done, not ready": (
        _pod(_status("a", **_ended(reason="Completed")), _status("b", ready=True, **RUNNING), containers=TWO),
        "1/2", "NotReady", "0",
    ),
    "first of two done, ready": (
        _pod(
            _status("a", **_ended(reason="Completed")), _status("b", ready=True, **RUNNING),
            containers=TWO, conditions=["Ready"],
        ),
        "1/2", "Running", "0",
    ),
    "first init": (
        _pod(phase="Pending", init=[_status("i1", **RUNNING), _status("i2", waiting={})], initContainers=INIT),
        "0/1", "Init:0/2", "0",
    ),
    "second init": (
        _pod(phase="Pending", init=[_status("i1", **_ended()), _status("i2", **RUNNING)], initContainers=INIT),
        "0/1", "Init:1/2", "0",
    ),
    "init failed": (
        _pod(phase="Pending", init=[_status("i1", **_ended(1, reason="Error"))], initContainers=INIT), "0/1", "Init:Error", "0",
    ),
    "init exit code": (
        _pod(phase="Pending", init=[_status("i1", **_ended(2))], initContainers=INIT), "0/1", "Init:ExitCode:2", "0",
    ),
    "init crashing": (
        _pod(
            phase="Pending", init=[_status("i1", restarts=2, waiting={"reason": "CrashLoopBackOff"})], initContainers=INIT,
        ),
        "0/1", "Init:CrashLoopBackOff", "2",
    ),
    "sidecar runs": (
        _pod(
            _status(ready=True, **RUNNING), init=[_status("i1", ready=True, started=True, **RUNNING)], initContainers=SIDECAR,
        ),
        "2/2", "Running", "0",
    ),
    "terminating": (_pod(_status(ready=True, **RUNNING), deleted=True), "1/1", "Terminating", "0"),
    "terminating but done": (
        _pod(_status(**_ended(reason="Completed")), phase="Succeeded", deleted=True), "0/1", "Completed", "0",
    ),
    "node lost": (_pod(_status(ready=True, **RUNNING), deleted=True, reason="NodeLost"), "1/1", "Unknown", "0"),
    "evicted": (_pod(phase="Failed", reason="Evicted"), "0/1", "Evicted", "0"),
}  # fmt: skip


@pytest.mark.parametrize(("pod", "ready", "status", "restarts"), CASES.values(), ids=CASES.keys())
def test_columns(pod, ready, status, restarts):
    assert pods.row(pod, NOW)[:5] == ["web", ready, status, restarts, "5m"]
    assert pods.status_text(pod) == status


def test_wide_columns():
    gates = [{"conditionType": "a/x"}, {"conditionType": "a/y"}]
    pod = _pod(conditions=["a/x"], nodeName="node-0", readinessGates=gates)
    pod["status"]["podIPs"] = [{"ip": "10.244.0.5"}]
    assert pods.row(pod, NOW)[5:] == ["10.244.0.5", "node-0", "<none>", "1/2"]
    assert pods.row(_pod(), NOW)[5:] == ["<none>"] * 4


def test_gated():
    pod = _pod(phase="Pending")
    pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]
    assert pods.status_text(pod) == "SchedulingGated"


def test_finished_rows_are_marked():
    assert pods.row_conditions(_pod(phase="Succeeded"))[0]["reason"] == "Succeeded"
    assert pods.row_conditions(_pod(phase="Failed"))[0]["type"] == "Completed"
    assert pods.row_conditions(_pod()) == []
