"""Jobs and CronJobs with real pods."""

import pytest

from tests.conformance.live import Object, Space, condition, template, wait

JOBS, CRONJOBS = "batch/v1/jobs", "batch/v1/cronjobs"


def job(space: Space, name: str, script: str, restart: str = "Never", **spec: object) -> str:
    pods = template({"app": name}, script, restartPolicy=restart)
    space.create(JOBS, {"metadata": {"name": name}, "spec": {"template": pods, **spec}})
    return space.path(JOBS, name)


def ended(space: Space, address: str, how: str) -> Object:
    def look() -> Object:
        found: Object = space.api.get(address)
        return found if condition(found, how) == "True" else {}

    return wait(f"the job is {how}", look)


def test_completion_after_local_failures(space: Space) -> None:
    """Fails once in each pod, is restarted there, ends well."""
    pods = template({"app": "j"}, "[ -f /data/again ] || { touch /data/again; exit 1; }", restartPolicy="OnFailure")
    pods["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    pods["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    space.create(JOBS, {"metadata": {"name": "j"}, "spec": {"template": pods, "parallelism": 2, "completions": 3}})
    found = ended(space, space.path(JOBS, "j"), "Complete")
    assert found["status"]["succeeded"] == 3
    done = [one for one in space.items("pods") if one["status"]["phase"] == "Succeeded"]
    assert {one["status"]["containerStatuses"][0]["restartCount"] for one in done} == {1}


def test_indexes(space: Space) -> None:
    address = job(
        space,
        "j",
        'test "$JOB_COMPLETION_INDEX" = "${HOSTNAME##*-}"',
        completionMode="Indexed",
        parallelism=2,
        completions=4,
    )
    found = ended(space, address, "Complete")
    assert found["status"]["completedIndexes"] == "0-3"
    indexes = {
        one["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]: one for one in space.items("pods")
    }
    assert sorted(indexes) == ["0", "1", "2", "3"]
    assert all(one["spec"]["hostname"] == f"j-{index}" for index, one in indexes.items())


def test_deleted_with_its_pods(space: Space) -> None:
    address = job(space, "j", "", parallelism=2, completions=4)
    wait("two are active", lambda: space.api.get(address)["status"].get("active") == 2)
    space.api.delete(address, {"propagationPolicy": "Foreground"})
    wait("it is gone", lambda: not space.items(JOBS))
    assert space.items("pods") == []


def test_adopts_and_releases(space: Space) -> None:
    address = job(space, "j", "", parallelism=2, completions=4)
    wait("two are active", lambda: space.api.get(address)["status"].get("ready") == 2)
    first = space.items("pods")[0]["metadata"]["name"]
    pod = space.path("pods", first)
    space.api.change(pod, lambda found: found["metadata"].update(ownerReferences=[]))
    wait(
        "it is adopted",
        lambda: [one["name"] for one in space.api.get(pod)["metadata"].get("ownerReferences", [])] == ["j"],
    )
    space.api.change(pod, lambda found: found["metadata"].update(labels={}))
    wait("it is released", lambda: not space.api.get(pod)["metadata"].get("ownerReferences"))


def test_a_policy_ends_it_early(space: Space) -> None:
    rules = [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]
    script = '[ "$JOB_COMPLETION_INDEX" = 0 ] && exit 1; exec sleep 100000'
    address = job(
        space, "j", script, parallelism=2, completions=2, completionMode="Indexed", podFailurePolicy={"rules": rules}
    )
    found = ended(space, address, "Failed")
    failed = next(one for one in found["status"]["conditions"] if one["type"] == "Failed")
    assert failed["reason"] == "PodFailurePolicy"
    assert "failed with exit code 1 matching FailJob rule at index 0" in failed["message"]
    assert condition(found, "FailureTarget") == "True"


def test_a_policy_does_not_count_disruptions(space: Space) -> None:
    """Each pod is evicted once; the Job, which may not fail once, completes."""
    rules = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
    pods = template(
        {"app": "j"},
        "f=/data/$JOB_COMPLETION_INDEX; [ -f $f ] && exit 0; touch $f; exec sleep 100000",
        restartPolicy="Never",
    )
    node = space.api.items("/api/v1/nodes")[0]["metadata"]["name"]
    pods["spec"].update(
        nodeName=node,
        volumes=[{"name": "data", "hostPath": {"path": f"/tmp/{space.name}", "type": "DirectoryOrCreate"}}],
    )
    pods["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    spec = {
        "template": pods,
        "parallelism": 2,
        "completions": 2,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": rules},
    }
    space.create(JOBS, {"metadata": {"name": "j"}, "spec": spec})
    address = space.path(JOBS, "j")
    wait("two are ready", lambda: space.api.get(address)["status"].get("ready") == 2)
    wait(
        "they left their marks",
        lambda: all(space.sh(one["metadata"]["name"], "ls /data").split() == ["0", "1"] for one in space.items("pods")),
    )
    for one in space.items("pods"):
        name = one["metadata"]["name"]
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": space.name}}
        space.api.create(f"{space.path('pods', name)}/eviction", body)
    found = ended(space, address, "Complete")
    assert found["status"]["succeeded"] == 2
    space.pod("cleaner", "rm -rf /data/*", nodeName=node, restartPolicy="Never")


def test_success_policy_and_limits_per_index(space: Space) -> None:
    rules = {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}
    leader = job(
        space,
        "leader",
        '[ "$JOB_COMPLETION_INDEX" = 0 ] && exit 0; exec sleep 100000',
        parallelism=2,
        completions=2,
        completionMode="Indexed",
        successPolicy=rules,
    )
    each = job(
        space,
        "each",
        '[ "$JOB_COMPLETION_INDEX" = 0 ] && exit 1; exit 0',
        parallelism=2,
        completions=2,
        completionMode="Indexed",
        backoffLimitPerIndex=0,
    )
    found = ended(space, leader, "Complete")
    assert (
        next(one for one in found["status"]["conditions"] if one["type"] == "SuccessCriteriaMet")["reason"]
        == "SuccessPolicy"
    )
    found = ended(space, each, "Failed")
    assert (found["status"]["failedIndexes"], found["status"]["completedIndexes"]) == ("0", "1")
    assert next(one for one in found["status"]["conditions"] if one["type"] == "Failed")["reason"] == "FailedIndexes"


def test_status_and_life(space: Space) -> None:
    address = job(space, "j", "", suspend=True)
    patch = {
        "metadata": {"annotations": {"patchedstatus": "true"}},
        "status": {
            "conditions": [
                {"type": "CustomConditionType", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            ]
        },
    }
    assert condition(space.api.patch(f"{address}/status", patch), "CustomConditionType") == "True"
    assert space.api.get(address)["metadata"]["annotations"]["patchedstatus"] == "true"
    wait("the controller's own are there", lambda: condition(space.api.get(address), "Suspended") == "True")
    space.api.patch(address, {"spec": {"suspend": False}})
    wait("it runs", lambda: space.api.get(address)["status"].get("ready") == 1)
    assert condition(space.api.get(address), "Suspended") == "False"


CRON = {
    "AllowConcurrent": ("Allow", False),
    "ReplaceConcurrent": ("Replace", False),
    "ForbidConcurrent": ("Forbid", False),
    "suspended": ("Allow", True),
}


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("case", CRON)
def test_cron(space: Space, case: str) -> None:
    """Two minutes of a schedule of every minute, with pods that do not end."""
    policy, suspended = CRON[case]
    jobs = {"spec": {"template": template({"a": "b"}, restartPolicy="Never")}}
    spec = {"schedule": "*/1 * * * ?", "concurrencyPolicy": policy, "suspend": suspended, "jobTemplate": jobs}
    space.create(CRONJOBS, {"metadata": {"name": "c"}, "spec": spec})
    active = lambda: space.get(CRONJOBS, "c").get("status", {}).get("active", [])  # noqa: E731
    if suspended:
        with pytest.raises(AssertionError):
            wait("a job", active, seconds=130)
        return
    first = wait("a job", active, seconds=130)[0]["name"]
    if policy == "Allow":
        wait("two at once", lambda: len(active()) == 2, seconds=130)
    if policy == "Replace":
        wait("another one alone", lambda: len(active()) == 1 and active()[0]["name"] != first, seconds=130)
    if policy == "Forbid":
        with pytest.raises(AssertionError):
            wait("another", lambda: [one["name"] for one in active()] != [first], seconds=130)
