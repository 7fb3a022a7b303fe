"""What a drain takes, leaves and is stopped by."""

import dataclasses
import datetime
from typing import Any

import pytest

from steersman.kubectl import drains

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
PLAIN = drains.Wanted(now=NOW)
FORCE = drains.Wanted(now=NOW, force=True)


def pod(name: str = "web", *, owner: str = "ReplicaSet", phase: str = "Running", **more: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": "default", **more.pop("metadata", {})}
    if owner:
        meta["ownerReferences"] = [{"kind": owner, "name": "own", "uid": "1", "controller": True}]
    return {"metadata": meta, "spec": more, "status": {"phase": phase}}


ALONE = pod(owner="")
LOCAL = pod(volumes=[{"name": "a", "emptyDir": {}}])
MIRROR = pod(owner="Node", metadata={"annotations": {drains.MIRROR: "x"}})
DAEMON = pod(owner="DaemonSet")
GOING = pod(metadata={"deletionTimestamp": "2026-01-01T11:59:00Z"})


@pytest.mark.parametrize(
    ("seen", "wanted", "verdict"),
    [
        pytest.param(pod(), PLAIN, drains.GOES, id="a pod with a controller goes"),
        pytest.param(
            ALONE, PLAIN, drains.Verdict(goes=False, error=drains.UNMANAGED_STOPS), id="nobody would replace it"
        ),
        pytest.param(ALONE, FORCE, drains.Verdict(warning=drains.UNMANAGED_WARNS), id="forced"),
        pytest.param(pod(owner="", phase="Failed"), PLAIN, drains.GOES, id="it has failed anyway"),
        pytest.param(LOCAL, PLAIN, drains.Verdict(goes=False, error=drains.LOCAL_STOPS), id="data would be lost"),
        pytest.param(
            LOCAL, drains.Wanted(NOW, delete_local_data=True), drains.GOES, id="a later filter has the last word"
        ),
        pytest.param(
            pod(phase="Succeeded", volumes=[{"name": "a", "emptyDir": {}}]), PLAIN, drains.GOES, id="data of the past"
        ),
        pytest.param(MIRROR, FORCE, drains.STAYS, id="a static pod's mirror stays"),
        pytest.param(DAEMON, PLAIN, drains.Verdict(goes=False, error=drains.DAEMON_SET_STOPS), id="a daemon stops it"),
        pytest.param(
            DAEMON,
            drains.Wanted(NOW, ignore_daemon_sets=True),
            drains.Verdict(goes=False, warning=drains.DAEMON_SET_WARNS),
            id="a daemon is ignored",
        ),
        pytest.param(pod(owner="DaemonSet", phase="Failed"), PLAIN, drains.GOES, id="a daemon that has ended"),
        pytest.param(GOING, PLAIN, drains.GOES, id="it is being deleted"),
        pytest.param(GOING, drains.Wanted(NOW, skip_deleted_after_seconds=59), drains.STAYS, id="for too long"),
        pytest.param(GOING, drains.Wanted(NOW, skip_deleted_after_seconds=60), drains.GOES, id="not for too long"),
    ],
)
def test_each_filter(seen: dict[str, Any], wanted: drains.Wanted, verdict: drains.Verdict) -> None:
    assert drains.judge(seen, wanted) == verdict


def test_a_daemon_whose_set_is_gone_goes_by_force() -> None:
    gone = 'daemonsets.apps "own" not found'
    wanted = drains.Wanted(NOW, daemon_sets={"default/own": gone}, missing=frozenset(["default/own"]))
    assert drains.judge(DAEMON, wanted) == drains.Verdict(goes=False, error=gone)
    assert drains.judge(DAEMON, dataclasses.replace(wanted, force=True)) == drains.GOES
    unreadable = drains.Wanted(NOW, force=True, daemon_sets={"default/own": "forbidden"})
    assert drains.judge(DAEMON, unreadable) == drains.Verdict(goes=False, error="forbidden")


def test_pods_of_one_verdict_are_told_together() -> None:
    pods = [pod("a", owner=""), pod("b"), pod("c", owner=""), pod("d", owner="DaemonSet")]
    found = drains.classify(pods, PLAIN)
    assert [seen["metadata"]["name"] for seen in found.pods] == ["b"]
    assert found.errors == (
        f"cannot delete {drains.UNMANAGED_STOPS}: default/a, default/c",
        f"cannot delete {drains.DAEMON_SET_STOPS}: default/d",
    )
    forced = drains.classify(pods, drains.Wanted(NOW, force=True, ignore_daemon_sets=True))
    assert [seen["metadata"]["name"] for seen in forced.pods] == ["a", "b", "c"]
    assert forced.errors == ()
    assert forced.warning == (
        "deleting Pods that declare no controller: default/a, default/c; ignoring DaemonSet-managed Pods: default/d"
    )
