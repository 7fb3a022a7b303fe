"""Containers, probes and environments."""

from typing import Any

import pytest

from steersman.kubectl.describe import containers
from tests.kubectl.describe.test_writing import written

NUMBERS = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
TAIL = "delay=0s timeout=1s period=10s #success=1 #failure=3"


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        ({"exec": {"command": ["cat", "/x y"]}}, "exec [cat /x y]"),
        ({"httpGet": {"path": "/a b", "port": "web", "scheme": "HTTPS"}}, "http-get https://:web/a%20b"),
        ({"httpGet": {"path": "x", "port": 80, "host": "::1", "scheme": "HTTP"}}, "http-get http://[::1]:80/x"),
        ({"tcpSocket": {"port": 80}}, "tcp-socket :80"),
        ({"grpc": {"port": 9, "service": "s"}}, "grpc <pod>:9 s"),
        ({}, "unknown"),
    ],
    ids=str,
)
def test_probes(probe: dict[str, Any], text: str) -> None:
    assert containers.probe_text({**probe, **NUMBERS}) == f"{text} {TAIL}"


POD = {"metadata": {"name": "p", "namespace": "n", "labels": {"b": "2", "a": "1"}}}


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        ({"value": "1"}, "X: 1"),
        ({}, "X:"),
        ({"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}, "X: p (v1:metadata.name)"),
        ({"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}}, "X: (v1:spec.nodeName)"),
        ({"valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}, "X: 2 (limits.cpu)"),
        ({"valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}}, "X: 1500 (limits.cpu)"),
        ({"valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}, "X: node allocatable (limits.memory)"),
        (
            {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            "X: <set to the key 'k' in secret 's'> Optional: false",
        ),
        (
            {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}},
            "X: <set to the key 'k' of config map 'c'> Optional: true",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_environment(variable: dict[str, Any], line: str) -> None:
    container = {"name": "c", "resources": {"limits": {"cpu": "1500m"}}, "env": [{"name": "X", **variable}]}

    def act(d: Any) -> None:
        containers.write(d, "Containers", [container], resolve=containers.resolver(POD))

    assert line in [" ".join(one.split()) for one in written(act).splitlines()]


def test_a_container_that_was_restarted() -> None:
    ended = {"exitCode": 137, "signal": 9, "reason": "OOMKilled", "startedAt": None, "finishedAt": None}
    status = {
        "name": "c",
        "image": "x",
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": ended},
    }
    text = written(containers.write, "Containers", [{"name": "c", "image": "x"}], [status])
    assert "    State:          Waiting\n      Reason:       CrashLoopBackOff\n" in text
    assert "    Last State:     Terminated\n      Reason:       OOMKilled\n      Exit Code:    137\n" in text
    assert "    Ready:          False\n    Restart Count:  2\n" in text
