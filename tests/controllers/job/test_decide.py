"""What a Job decides, in words: counts, indexes, policies, ends, pauses."""

import datetime
from typing import Any

import pytest

from steersman.controllers.decision import Create, Delete, Emit, Patch, UpdateStatus
from steersman.controllers.job import decide
from steersman.controllers.job.decide import Seen, SeenOrphan
from steersman.controllers.job.view import FAILURES_OF_INDEX, INDEX
from steersman.meta import conditions, objects, owners
from tests.controllers import shapes as times_of
from tests.controllers.job.shapes import job, pod

NOW, STAMP = times_of.NOW, times_of.STAMP
STARTED: Any = {"startTime": STAMP}


def seen(of, pods=(), seconds=3600.0, **more) -> Seen:
    """An hour later, when no pause is left."""
    return Seen(of, list(pods), NOW + datetime.timedelta(seconds=seconds), **more)


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


def told(found):
    """Everything but the status, in a few words."""
    words = []
    for action in found.actions:
        match action:
            case Create():
                number = objects.annotations(action.obj).get(INDEX)
                words.append("create" if number is None else f"create {number}")
            case Delete():
                words.append(f"delete {action.name}")
            case Patch():
                words.append(f"{_patched(action)} {action.name}")
            case Emit():
                words.append(action.reason)
    return words


def _patched(action):
    meta = action.patch["metadata"]
    if "ownerReferences" in meta:
        return "adopt" if meta["ownerReferences"] else "let go"
    return "count" if meta["finalizers"] is None else "track"


def status(found) -> Any:
    return next((one.obj["status"] for one in found.actions if isinstance(one, UpdateStatus)), {})


def ended(found):
    return [one["type"] for one in status(found).get("conditions", ()) if one["status"] == "True"]


INDEXED: Any = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
GOING: Any = {"deletionTimestamp": STAMP, "deletionGracePeriodSeconds": 30}

COUNTS: Any = {
    "none yet": ({}, [], ["create"]),
    "one of three at a time": ({"completions": 3}, [], ["create"]),
    "as many as wanted": ({"completions": 3, "parallelism": 5}, [], ["create"] * 3),
    "running": ({}, [pod("a")], []),
    "too many": ({"completions": 2}, [pod("a"), pod("b", "Pending")], ["count b", "delete b"]),
    "a work queue": ({"completions": None, "parallelism": 2}, [pod("a")], ["create"]),
    "a work queue that is done starts no more": (
        {"completions": None, "parallelism": 2}, [pod("a", "Succeeded"), pod("b")], ["count a"],
    ),
    "one has succeeded": (
        {"completions": 2, "parallelism": 2}, [pod("a", "Succeeded"), pod("b")], ["count a"],
    ),
    "one has failed": ({"completions": 2, "parallelism": 2}, [pod("a", "Failed"), pod("b")], ["count a", "create"]),
    "one goes": ({}, [pod("a", **GOING)], ["count a", "create"]),
    "one goes, and is replaced when it has ended": ({"podReplacementPolicy": "Failed"}, [pod("a", **GOING)], []),
    "counted ones are done with": ({"completions": 2}, [pod("a", "Succeeded", tracked=False)], ["create"]),
    "suspended": ({"suspend": True}, [pod("a")], ["count a", "delete a", "Suspended"]),
    "indexed": (INDEXED, [], ["create 0", "create 1", "create 2"]),
    "indexes in between": (INDEXED, [pod("a", index=1)], ["create 0", "create 2"]),
    "an index twice": (
        INDEXED, [pod("a", index=0), pod("b", "Pending", index=0), pod("c", index=1)], ["count b", "delete b"],
    ),
    "an index too high": (INDEXED, [pod("a", index=7)], ["count a", "delete a"]),
    "no index": (INDEXED, [pod("a")], ["count a", "delete a"]),
    "an index is done": (INDEXED, [pod("a", "Succeeded", index=0), pod("b", index=1), pod("c", index=2)], ["count a"]),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "pods", "expect"), COUNTS.values(), ids=COUNTS.keys())
def test_pods(spec, pods, expect):
    found = decided(seen(job(STARTED, **spec), pods))
    assert told(found) == expect


def test_a_new_pod():
    found = decided(seen(job(**INDEXED, backoffLimitPerIndex=1)))
    obj = found.actions[1].obj
    assert obj["metadata"]["generateName"] == "pi-1-"
    assert obj["metadata"]["labels"][INDEX] == obj["metadata"]["annotations"][INDEX] == "1"
    assert obj["metadata"]["annotations"][FAILURES_OF_INDEX] == "0"
    assert obj["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    assert obj["metadata"]["ownerReferences"] == [owners.make(job())]
    assert obj["spec"]["hostname"] == "pi-1"
    [variable] = obj["spec"]["containers"][0]["env"]
    path = "metadata.labels['batch.kubernetes.io/job-completion-index']"
    assert variable == {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {"fieldPath": path}}}
    assert [one.reason for one in (found.actions[0].done, found.actions[0].refused)] == [
        "SuccessfulCreate",
        "FailedCreate",
    ]


def test_the_status_tells_of_new_pods_at_once_unless_they_were_refused():
    found = decided(seen(job(completions=2, parallelism=2)))
    assert [
        (one.when, one.obj["status"].get("active", 0)) for one in found.actions if isinstance(one, UpdateStatus)
    ] == [
        ("done", 2),
        ("refused", 0),
    ]


def test_a_pod_is_listed_then_released_then_counted():
    of = job(STARTED, completions=2, parallelism=2)
    first = decided(seen(of, [pod("a", "Succeeded"), pod("b", "Failed")]))
    assert [type(action).__name__ for action in first.actions][:3] == ["UpdateStatus", "Patch", "Patch"]
    assert status(first)["uncountedTerminatedPods"] == {"succeeded": ["a"], "failed": ["b"]}
    assert "succeeded" not in status(first)
    # killed before the release: nothing is listed twice
    again = decided(seen({**of, "status": status(first)}, [pod("a", "Succeeded"), pod("b", "Failed")]))
    assert told(again)[:2] == ["count a", "count b"]
    assert status(again) == {}
    # one was released, the other is gone altogether
    second = decided(seen({**of, "status": status(first)}, [pod("a", "Succeeded", tracked=False)]))
    assert (status(second)["succeeded"], status(second)["failed"]) == (1, 1)
    assert status(second)["uncountedTerminatedPods"] == {}


ENDS: Any = {
    "done": ({}, STARTED, [pod("a", "Succeeded")], ["SuccessCriteriaMet"], "CompletionsReached"),
    "too many failures": ({"backoffLimit": 1}, {**STARTED, "failed": 1}, [pod("a", "Failed")], ["FailureTarget"],
        "BackoffLimitExceeded"),
    "not too many": ({"backoffLimit": 2}, {**STARTED, "failed": 1}, [pod("a", "Failed")], [], ""),
    "too long": ({"activeDeadlineSeconds": 3600}, STARTED, [pod("a")], ["FailureTarget"], "DeadlineExceeded"),
    "not too long": ({"activeDeadlineSeconds": 3601}, STARTED, [pod("a")], [], ""),
    "exit code": (
        {"podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]}},
        STARTED, [pod("a", "Failed", code=42)], ["FailureTarget"], "PodFailurePolicy",
    ),
    "enough indexes": (
        {**INDEXED, "successPolicy": {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}},
        STARTED, [pod("a", "Succeeded", index=0), pod("b", index=1)], ["SuccessCriteriaMet"], "SuccessPolicy",
    ),
    "not those indexes": (
        {**INDEXED, "successPolicy": {"rules": [{"succeededIndexes": "1-2"}]}},
        STARTED, [pod("a", "Succeeded", index=0), pod("b", index=1), pod("c", index=2)], [], "",
    ),
    "an index failed for good, others go on": (
        {**INDEXED, "backoffLimitPerIndex": 1}, STARTED,
        [pod("a", "Failed", index=0, failures=1), pod("b", index=1), pod("c", index=2)], [], "",
    ),
    "an index is failed by the policy": (
        {
            "completionMode": "Indexed", "backoffLimitPerIndex": 5,
            "podFailurePolicy": {"rules": [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}}]},
        },
        STARTED, [pod("a", "Failed", index=0, failures=0, code=42)], ["FailureTarget"], "FailedIndexes",
    ),
    "the last index failed": (
        {**INDEXED, "backoffLimitPerIndex": 0}, {**STARTED, "completedIndexes": "0,2", "succeeded": 2},
        [pod("b", "Failed", index=1, failures=0)], ["FailureTarget"], "FailedIndexes",
    ),
    "too many indexes failed": (
        {**INDEXED, "backoffLimitPerIndex": 0, "maxFailedIndexes": 0}, STARTED,
        [pod("b", "Failed", index=1, failures=0)], ["FailureTarget"], "MaxFailedIndexesExceeded",
    ),
    "nothing to do": ({"completions": 0}, {}, [], ["SuccessCriteriaMet", "Complete"], "CompletionsReached"),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "before", "pods", "expect", "reason"), ENDS.values(), ids=ENDS.keys())
def test_ends(spec, before, pods, expect, reason):
    found = decided(seen(job(before, **spec), pods))
    assert ended(found) == expect
    assert all(one["reason"] == reason for one in status(found).get("conditions", ()))


def test_messages_of_the_failure_policy():
    rule: Any = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    of = job(STARTED, podFailurePolicy={"rules": [rule]})
    [condition] = status(decided(seen(of, [pod("a", "Failed", code=42)])))["conditions"]
    assert condition["message"] == (
        "Container pi for pod default/a failed with exit code 42 matching FailJob rule at index 0"
    )
    rule = {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    of = job(STARTED, podFailurePolicy={"rules": [rule]})
    lost = pod("a", "Failed")
    lost["status"]["conditions"] = [conditions.make("DisruptionTarget", "True")]
    [condition] = status(decided(seen(of, [lost])))["conditions"]
    assert condition["message"] == "Pod default/a has condition DisruptionTarget matching FailJob rule at index 0"


def test_an_ignored_failure_does_not_count():
    rule = {"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": [1]}}
    of = job(STARTED, backoffLimit=0, podFailurePolicy={"rules": [rule]})
    found = decided(seen(of, [pod("a", "Failed", code=42)]))
    assert told(found) == ["count a", "create"]
    assert ended(found) == []
    assert status(found).get("uncountedTerminatedPods", {}) == {}


def test_a_job_that_fails_stops_its_pods_and_counts_them():
    of = job(STARTED, parallelism=2, completions=2, backoffLimit=0)
    found = decided(seen(of, [pod("a", "Failed"), pod("b")]))
    assert told(found) == ["count a", "count b", "delete b"]
    assert status(found)["uncountedTerminatedPods"] == {"failed": ["a", "b"]}
    # `b` takes its time; then the Job has failed
    before = status(found)
    waiting = decided(seen({**of, "status": before}, [pod("b", tracked=False, **GOING)]))
    assert ended(waiting) == ["FailureTarget"]
    last = decided(seen({**of, "status": status(waiting)}))
    assert ended(last) == ["FailureTarget", "Failed"]
    assert told(last) == ["BackoffLimitExceeded"]
    assert status(last)["failed"] == 2


def test_a_job_that_has_what_it_needs_stops_the_others_without_counting_them():
    policy = {"rules": [{"succeededCount": 1}]}
    of = job(STARTED, **INDEXED, successPolicy=policy)
    found = decided(seen(of, [pod("a", "Succeeded", index=0), pod("b", index=1), pod("c", index=2)]))
    assert told(found) == ["count a", "count b", "count c", "delete b", "delete c"]
    assert [status(found).get(name, 0) for name in ("completedIndexes", "succeeded", "failed")] == ["0", 1, 0]
    last = decided(seen({**of, "status": status(found)}, [pod("a", "Succeeded", index=0, tracked=False)]))
    assert ended(last) == ["SuccessCriteriaMet", "Complete"]
    assert told(last) == ["Completed"]
    assert status(last)["completionTime"] == "2026-01-01T13:00:00Z"


PAUSES = {"first": (1, 10.0), "second": (2, 20.0), "third": (3, 40.0), "many": (30, 600.0)}


@pytest.mark.parametrize(("failures", "expect"), PAUSES.values(), ids=PAUSES.keys())
def test_pauses_after_failures(failures, expect):
    of = job({**STARTED, "failed": failures}, backoffLimit=100)
    found = decided(seen(of, seconds=4, failures=[NOW] * failures))
    assert (told(found), found.again_after_seconds) == ([], expect - 4)
    assert told(decided(seen(of, seconds=expect, failures=[NOW] * failures))) == ["create"]


def test_each_index_has_its_own_pause_and_count():
    of = job(STARTED, **INDEXED, backoffLimitPerIndex=3)
    failed = pod("a", "Failed", index=0, failures=1)
    soon = decided(seen(of, [failed, pod("b", index=1)], seconds=5))
    assert (told(soon), soon.again_after_seconds) == (["create 2"], 15.0)
    running = [pod("b", index=1), pod("c", index=2)]
    later = decided(seen(of, [failed, *running], seconds=20))
    assert told(later) == ["create 0"]  # `a` keeps its finalizer until the new pod has its count
    assert later.actions[0].obj["metadata"]["annotations"][FAILURES_OF_INDEX] == "2"
    assert told(decided(seen(of, [failed, *running, pod("d", index=0, failures=2)]))) == ["count a"]


def test_restarts_count_where_pods_are_restarted():
    of = job(STARTED, backoffLimit=2)
    of["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    running = pod("a")
    running["status"]["containerStatuses"] = [{"name": "pi", "restartCount": 2}]
    assert ended(decided(seen(of, [running]))) == ["FailureTarget"]


def test_suspended_and_resumed():
    of = job({}, suspend=True)
    first = decided(seen(of))
    assert told(first) == ["Suspended"]
    assert "startTime" not in status(first)
    resumed = decided(seen({**job(suspend=False), "status": status(first)}))
    assert told(resumed) == ["create", "Resumed"]
    [condition] = status(resumed)["conditions"]
    assert (condition["status"], condition["reason"], status(resumed)["startTime"]) == (
        "False", "JobResumed", "2026-01-01T13:00:00Z",
    )  # fmt: skip


def test_orphans_are_adopted_and_tracked():
    orphan = pod("a", tracked=False, ownerReferences=[])
    found = decided(seen(job(STARTED), orphans=[orphan], may_adopt=True))
    assert told(found) == ["adopt a"]
    assert found.actions[0].patch["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    relabelled = pod("a", labels={"x": "y"})
    assert told(decided(seen(job(STARTED), [relabelled]))) == ["let go a"]


def test_a_pod_left_behind_is_let_go():
    assert told(decided(SeenOrphan(pod("a")))) == ["count a"]


def test_another_controller_looks_after_it():
    assert decided(seen(job(managedBy="example.com/queue"))).actions == ()
    assert told(decided(seen(job(managedBy="kubernetes.io/job-controller")))) == ["create"]


def test_after_the_end():
    done = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": STAMP}]}
    assert told(decided(seen(job(done), [pod("a", "Succeeded")]))) == ["count a"]
    assert decided(seen(job(done))).actions == ()
    waiting = decided(seen(job(done, ttlSecondsAfterFinished=60), seconds=20))
    assert (waiting.actions, waiting.again_after_seconds) == ((), 40.0)
    over = decided(seen(job(done, ttlSecondsAfterFinished=60), seconds=60))
    assert told(over) == ["delete pi"]
    assert (over.actions[0].propagation, over.actions[0].resource_version) == ("Foreground", "7")


def test_a_job_that_is_deleted_lets_its_pods_go_and_makes_no_more():
    of = job(STARTED, parallelism=2, completions=2)
    of["metadata"]["deletionTimestamp"] = STAMP
    assert told(decided(seen(of, [pod("a")]))) == ["count a"]


@pytest.mark.parametrize("index", [None, 0])
def test_a_pod_that_ends_well_after_it_was_counted_as_failed_stays_failed(index: int | None):
    """It was being deleted when it was counted, and its status said Succeeded before it lost its finalizer."""
    mode = {"completionMode": "Indexed"} if index is not None else {}
    of = job({**STARTED, "uncountedTerminatedPods": {"failed": ["a"]}}, **mode)
    found = decided(seen(of, [pod("a", "Succeeded", index=index, deletionTimestamp=STAMP)]))
    assert ended(found) == []
    assert told(found) == ["count a", "create" if index is None else "create 0"]


def test_a_removal_that_was_cut_off_is_finished_once_the_job_goes_on():
    """The pod lost its finalizer when the Job was suspended, and was not deleted: nobody could count it."""
    found = decided(seen(job(STARTED), [pod("a", tracked=False)]))
    assert told(found) == ["delete a", "create"]


def test_a_job_does_not_end_before_it_began():
    """Whoever wrote when it began had a clock that was ahead; the API refuses the other order."""
    of = job({"startTime": "2026-01-02T09:00:00Z", "succeeded": 1, "uncountedTerminatedPods": {}})
    found = decided(seen(of, [pod("a", "Succeeded", tracked=False)]))
    assert status(found)["completionTime"] == "2026-01-02T09:00:00Z"
