"""Which container is meant, and which pod of many."""

from typing import Any

import pytest

from steersman.kubectl import pods


def pod(name: str = "web", **more: Any) -> dict[str, Any]:
    spec = {"nodeName": "n", "containers": [{"name": "main"}], **more.pop("spec", {})}
    return {
        "metadata": {"name": name, "namespace": "default", **more.pop("metadata", {})},
        "spec": spec,
        "status": more,
    }


THREE = pod(
    spec={
        "containers": [{"name": "main"}, {"name": "side"}],
        "initContainers": [{"name": "first"}],
        "ephemeralContainers": [{"name": "look"}],
    }
)
ANNOTATED = {**THREE, "metadata": {**THREE["metadata"], "annotations": {pods.DEFAULT_CONTAINER: "side"}}}
WRONG = {**THREE, "metadata": {**THREE["metadata"], "annotations": {pods.DEFAULT_CONTAINER: "no"}}}
NOTICE = 'Defaulted container "main" out of: main, side, look (ephem), first (init)\n'


def test_the_default_container() -> None:
    assert pods.default_container(pod()) == ({"name": "main"}, "")
    assert pods.default_container(THREE) == ({"name": "main"}, NOTICE)
    assert pods.default_container(THREE, "look") == ({"name": "look"}, "")
    assert pods.default_container(ANNOTATED) == ({"name": "side"}, "")
    assert pods.default_container(WRONG) == ({"name": "main"}, NOTICE)
    told = 'Default container name "no" not found in pod web\n'
    assert pods.default_container(WRONG, missing_is_told=True) == ({"name": "main"}, told + NOTICE)
    with pytest.raises(pods.PodError, match=r"^container no not found in pod web$"):
        pods.default_container(THREE, "no")
    assert pods.find_container(THREE, "first") == ({"name": "first"}, "initContainers")


@pytest.mark.parametrize(
    ("obj", "selector"),
    [
        ({"apiVersion": "v1", "kind": "Service", "spec": {"selector": {"a": "b"}}}, "a=b"),
        ({"apiVersion": "v1", "kind": "ReplicationController", "spec": {"selector": {"a": "b"}}}, "a=b"),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"selector": {"matchLabels": {"a": "b"}}}}, "a=b"),
        (
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "spec": {"selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}},
            },
            "a in (b,c)",
        ),
    ],
)
def test_what_selects_pods(obj: dict[str, Any], selector: str) -> None:
    assert pods.selector_of(obj) == selector


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {}},
            "invalid service 'x': Service is defined without a selector",
        ),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, "selector for *v1.ConfigMap not implemented"),
        ({"apiVersion": "a.b/v1", "kind": "X"}, "selector for *unstructured.Unstructured not implemented"),
    ],
)
def test_what_selects_none(obj: dict[str, Any], why: str) -> None:
    with pytest.raises(pods.PodError) as refused:
        pods.selector_of(obj)
    assert str(refused.value) == why


def ready(since: str) -> list[dict[str, str]]:
    return [{"type": "Ready", "status": "True", "lastTransitionTime": since}]


UNASSIGNED = pod("unassigned", phase="Pending", spec={"nodeName": ""})
PENDING = pod("pending", phase="Pending")
STARTING = pod("starting", phase="Running")
RESTARTED = pod("restarted", phase="Running", containerStatuses=[{"restartCount": 2}])
LONG = pod("long", phase="Running", conditions=ready("2026-01-01T00:00:00Z"))
SHORT = pod("short", phase="Running", conditions=ready("2026-01-01T01:00:00Z"))
OLD = pod("old", phase="Pending", metadata={"creationTimestamp": "2025-01-01T00:00:00Z"})
ALL = [UNASSIGNED, PENDING, STARTING, RESTARTED, LONG, SHORT, OLD]


def names(found: list[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in found]


def test_the_best_for_logs() -> None:
    assert names(pods.best_for_logs(ALL)) == ["long", "short", "restarted", "starting", "old", "pending", "unassigned"]


def test_the_best_to_attach_to() -> None:
    assert names(pods.best_to_attach(ALL)) == ["long", "short", "starting", "restarted", "old", "pending", "unassigned"]
