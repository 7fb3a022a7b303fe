"""What a CronJob decides: which start is due, what is told of it, what is cleared away."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.controllers.cronjob import decide, missed
from steersman.controllers.cronjob.decide import Seen
from steersman.controllers.decision import Create, Delete, Emit, UpdateStatus
from steersman.meta import schedules, times

NOW = datetime.datetime(2026, 1, 1, 12, 0, 30, tzinfo=datetime.UTC)


def decided(seen) -> Any:
    return decide.decide(seen)


def cron_job(status=None, **spec):
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": "report",
            "namespace": "default",
            "uid": "c",
            "resourceVersion": "5",
            "creationTimestamp": "2026-01-01T11:00:10Z",
        },
        "spec": {
            "schedule": "0 * * * *",
            "concurrencyPolicy": "Allow",
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": {}},
            **spec,
        },
        "status": status or {},
    }


def job(name, ended="", *, started="2026-01-01T11:30:00Z", ours=True):
    found: Any = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"},
        "status": {"startTime": started},
    }
    if ours:
        found["metadata"]["annotations"] = {decide.SCHEDULED_AT: "x"}
    if ended:
        found["status"]["conditions"] = [{"type": ended, "status": "True"}]
        if ended == "Complete":
            found["status"]["completionTime"] = started
    return found


def told(found):
    words = []
    for action in found.actions:
        match action:
            case Create():
                words.append(f"create {action.obj['metadata']['name']}")
            case Delete():
                words.append(f"delete {action.name}")
            case Emit():
                words.append(action.reason)
    return words


DUE = "create report-29454480"
MISSED = {"lastScheduleTime": "2025-01-01T00:00:00Z"}
CASES: Any = {
    "due": ({}, {}, [], [DUE]),
    "started already": ({"lastScheduleTime": "2026-01-01T12:00:00Z"}, {}, [], []),
    "made, but nobody could say so": ({}, {}, [job("report-29454480")], []),
    "suspended": ({}, {"suspend": True}, [], []),
    "in time": ({}, {"startingDeadlineSeconds": 31}, [], [DUE]),
    "out of time": ({}, {"startingDeadlineSeconds": 20}, [], []),
    "missed for a year": (MISSED, {}, [], ["TooManyMissedTimes", DUE]),
    "missed for a year, with a deadline": (MISSED, {"startingDeadlineSeconds": 7200}, [], [DUE]),
    "the last one still runs": ({}, {"concurrencyPolicy": "Forbid"}, [job("report-1")], ["JobAlreadyActive"]),
    "the last one is replaced": ({}, {"concurrencyPolicy": "Replace"}, [job("report-1")], ["delete report-1", DUE]),
    "unknown zone": ({}, {"timeZone": "Mars/Base"}, [], ["UnknownTimeZone"]),
    "no schedule": ({}, {"schedule": "often"}, [], ["UnparseableSchedule"]),
    "not ours": ({}, {}, [job("by-hand", ours=False)], ["UnexpectedJob", DUE]),
    "too old": (
        {"lastScheduleTime": "2026-01-01T12:00:00Z"}, {},
        [job("a", "Complete", started="2026-01-01T10:00:00Z"), job("b", "Complete"), job("c", "Failed")], ["delete a"],
    ),
    "gone": (
        {"lastScheduleTime": "2026-01-01T12:00:00Z", "active": [{"name": "a", "uid": "a"}]}, {}, [], ["MissingJob"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("status", "spec", "jobs", "expect"), CASES.values(), ids=CASES.keys())
def test_starts(status, spec, jobs, expect):
    assert told(decided(Seen(cron_job(status, **spec), jobs, NOW))) == expect


def test_the_start_is_told_only_when_the_job_was_made():
    found = decided(Seen(cron_job({}), [job("report-1")], NOW))
    statuses = [
        (one.when, one.obj["status"].get("lastScheduleTime")) for one in found.actions if isinstance(one, UpdateStatus)
    ]
    assert statuses == [("done", "2026-01-01T12:00:00Z"), ("refused", None)]
    assert found.again_after_seconds == 3600 - 30 + 0.1


def test_zones():
    # Noon in London is 7 in New York.
    assert told(decided(Seen(cron_job({}, schedule="0 7 * * *", timeZone="America/New_York"), [], NOW))) == [DUE]
    assert told(decided(Seen(cron_job({}, schedule="0 7 * * *", timeZone="Europe/London"), [], NOW))) == []


@given(
    st.sampled_from(["* * * * *", "*/7 * * * *", "0 9-17 * * 1-5", "30 6-16/4 * * 1-5", "0 0 1 * *", "@every 90s"]),
    st.integers(0, 4 * 24 * 3600),
)
def test_what_is_due_is_the_latest_there_was(text, seconds):
    last = times.parse("2026-01-01T11:00:10Z")
    now = last + datetime.timedelta(seconds=seconds)
    schedule = schedules.parse(text)
    due = missed.look(schedule, datetime.UTC, last, None, now)
    expect, at = None, schedule.next_after(last)
    while at is not None and at <= now:
        expect, at = at, schedule.next_after(at)
    assert due.at == expect
    assert due.next_at == at
