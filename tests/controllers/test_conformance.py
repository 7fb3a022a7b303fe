"""Stories of upstream's end-to-end tests of the workloads, on paper: whole clusters in virtual time."""

from typing import Any

import pytest

from steersman.testing import Behaviour, Cluster, ExecAnswer, FakeNode

PODS: Any = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "localhost/x:1"}]}}
PATCHED = {"type": "StatusPatched", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
PORT = {"name": "c", "image": "localhost/x:1", "ports": [{"containerPort": 21017, "hostPort": 21017}]}


def workload(kind, template=PODS, **spec):
    about = {"selector": {"matchLabels": {"app": "a"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "a"}, "spec": about}


def job(**spec):
    about = {"template": {**PODS, "spec": {**PODS["spec"], "restartPolicy": "Never"}}, **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": about}


def names(cluster):
    return [one["metadata"]["name"] for one in cluster.list("pods")]


@pytest.fixture
def cluster():
    with Cluster(nodes=2, virtual_time=True) as found:
        yield found


@pytest.mark.parametrize(
    "of",
    [
        workload("Deployment"),
        workload("ReplicaSet"),
        workload("StatefulSet", serviceName="s"),
        workload("DaemonSet"),
        job(),
    ],
    ids=lambda of: of["kind"],
)
def test_a_condition_that_somebody_else_wrote_stays(cluster, of):
    what = f"{of['kind'].lower()}/a"
    cluster.client.create(of)
    cluster.advance(seconds=5)
    cluster.client.patch(what, {"status": {"conditions": [PATCHED]}}, subresource="status")
    cluster.advance(minutes=1)
    assert PATCHED in cluster.get(what)["status"]["conditions"]


def test_a_stateful_set_scales_in_order_and_halts_at_the_first_pod_that_is_ill():
    answers = {"check": ExecAnswer(exit_code=1)}
    probe = {"readinessProbe": {"exec": {"command": ["check"]}, "periodSeconds": 1}}
    template = {**PODS, "spec": {"containers": [{"name": "c", "image": "localhost/x:1", **probe}]}}
    node = FakeNode("node-1", script=lambda sandbox, container: Behaviour(exec=answers))
    with Cluster([node], virtual_time=True) as cluster:
        cluster.client.create(workload("StatefulSet", template, serviceName="s", replicas=3))
        cluster.advance(seconds=20)
        assert names(cluster) == ["a-0"]
        answers["check"] = ExecAnswer()
        cluster.advance(seconds=20)
        assert names(cluster) == ["a-0", "a-1", "a-2"]
        answers["check"] = ExecAnswer(exit_code=1)
        cluster.advance(seconds=10)
        cluster.client.patch("statefulset/a", {"spec": {"replicas": 0}})
        cluster.advance(seconds=20)
        assert names(cluster) == ["a-0", "a-1", "a-2"]
        answers["check"] = ExecAnswer()
        cluster.advance(minutes=2)
        assert names(cluster) == []
        told = [
            one["message"].split()[:3] for one in cluster.events() if one["involvedObject"]["kind"] == "StatefulSet"
        ]
        order = [("create", 0), ("create", 1), ("create", 2), ("delete", 2), ("delete", 1), ("delete", 0)]
        assert told == [[verb, "Pod", f"a-{number}"] for verb, number in order]


@pytest.mark.parametrize("kind", ["StatefulSet", "ReplicaSet", "DaemonSet"])
def test_pods_that_their_node_refuses_are_replaced_until_it_takes_one(kind):
    """Not without a pause: the two would be at it for ever, and no time would pass."""
    with Cluster(nodes=1, virtual_time=True) as cluster:
        meta = {"name": "in-the-way"}
        spec = {"nodeName": "node-1", "containers": [PORT]}
        cluster.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        cluster.advance(seconds=5)
        more = {"serviceName": "s"} if kind == "StatefulSet" else {}
        cluster.client.create(workload(kind, {**PODS, "spec": spec}, **more))
        seen: dict[str, str] = {}
        for _ in range(20):
            cluster.advance(seconds=1)
            seen |= {
                one["metadata"]["uid"]: one["status"].get("reason") for one in cluster.list("pods", labels="app=a")
            }
        assert 2 <= len(seen) <= 20
        assert set(seen.values()) <= {"NodePorts", None}
        assert "NodePorts" in seen.values()
        cluster.delete("pod/in-the-way")
        cluster.advance(minutes=1)
        phases = [one["status"]["phase"] for one in cluster.list("pods", labels="app=a")]
        assert phases.count("Running") == 1


def test_a_daemon_set_is_taken_back_without_restarting_what_was_not_replaced_yet(cluster):
    cluster.client.create(workload("DaemonSet"))
    cluster.advance(seconds=5)
    broken = {"containers": [{"name": "c", "image": "missing.fake.steersman.dev/x:1"}]}
    cluster.client.patch("daemonset/a", {"spec": {"template": {"spec": broken}}})
    cluster.advance(seconds=30)
    old = [one["metadata"]["name"] for one in cluster.list("pods") if one["status"]["phase"] == "Running"]
    assert len(old) == 1
    cluster.client.patch("daemonset/a", {"spec": {"template": {"spec": PODS["spec"]}}})
    cluster.advance(seconds=30)
    assert set(old) < set(names(cluster))
    assert [one["status"]["phase"] for one in cluster.list("pods")] == ["Running", "Running"]
    assert sorted(one["revision"] for one in cluster.list("controllerrevisions")) == [2, 3]


def test_a_job_with_a_time_to_live_is_deleted_when_nobody_holds_it(cluster):
    of = job(ttlSecondsAfterFinished=5, completions=4, parallelism=2)
    of["metadata"]["finalizers"] = ["example.com/dummy"]
    of["spec"]["template"]["metadata"] = {"annotations": {"fake.steersman.dev/run-seconds": "1"}}
    cluster.client.create(of)
    cluster.advance(seconds=30)
    found = cluster.get("job/a")
    assert found["metadata"]["deletionTimestamp"]
    assert found["status"]["succeeded"] == 4
    cluster.client.patch("job/a", {"metadata": {"finalizers": None}})
    cluster.advance(seconds=30)
    assert (cluster.list("jobs"), names(cluster)) == ([], [])


@pytest.mark.parametrize(
    ("policy", "active", "told"),
    [
        ("Allow", 2, {"SuccessfulCreate"}),
        ("Forbid", 1, {"SuccessfulCreate", "JobAlreadyActive"}),
        ("Replace", 1, {"SuccessfulCreate", "SuccessfulDelete"}),
    ],
)
def test_a_cron_job_with_a_job_that_still_runs(cluster, policy, active, told):
    template = job()["spec"]["template"]
    spec = {"schedule": "*/1 * * * ?", "concurrencyPolicy": policy, "jobTemplate": {"spec": {"template": template}}}
    cluster.client.create({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"}, "spec": spec})
    cluster.advance(seconds=150)
    assert len(cluster.list("jobs")) == active
    assert len(cluster.get("cronjob/c")["status"]["active"]) == active
    assert {one["reason"] for one in cluster.events() if one["involvedObject"]["kind"] == "CronJob"} == told


def test_a_replication_controller_tells_its_counts_again_when_somebody_else_wrote_them(cluster):
    spec = {"replicas": 1, "selector": {"app": "a"}, "template": PODS}
    cluster.client.create(
        {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "a"}, "spec": spec}
    )
    cluster.advance(seconds=5)
    what = "replicationcontroller/a"
    cluster.client.patch(what, {"status": {"readyReplicas": 0, "availableReplicas": 0}}, subresource="status")
    cluster.advance(seconds=5)
    assert cluster.get(what)["status"]["availableReplicas"] == 1
    cluster.client.patch(what, {"spec": {"replicas": 2}}, subresource="scale")
    cluster.advance(seconds=5)
    assert cluster.get(what)["status"]["availableReplicas"] == 2
    cluster.delete(what)
    cluster.advance(minutes=1)
    assert len(names(cluster)) == 2  # upstream's default: they stay


def test_a_taint_that_goes_in_time_evicts_nobody(cluster):
    """Also: the pod that tolerates it for some time goes when that is over, the others at once."""
    taint = [{"key": "evict", "value": "yes", "effect": "NoExecute"}]
    for name, seconds in (("none", None), ("short", 5), ("long", 60)):
        some = {"key": "evict", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
        spec = {**PODS["spec"], "nodeName": "node-1", "tolerations": [some] if seconds else []}
        cluster.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    cluster.advance(seconds=5)
    cluster.client.patch("node/node-1", {"spec": {"taints": taint}})
    cluster.advance(seconds=3)
    assert names(cluster) == ["long", "short"]
    cluster.advance(seconds=20)
    assert names(cluster) == ["long"]
    cluster.client.patch("node/node-1", {"spec": {"taints": []}})
    cluster.advance(minutes=2)
    assert names(cluster) == ["long"]
    [told] = [one for one in cluster.events() if one["message"].startswith("Cancelling")]
    assert (told["reason"], told["message"]) == ("TaintManagerEviction", "Cancelling deletion of Pod default/long")
