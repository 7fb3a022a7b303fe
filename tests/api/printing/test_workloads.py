import datetime

import pytest

from steersman.api import kinds
from steersman.api.printing import tables
from tests.api import builders

NOW = datetime.datetime(2026, 1, 1, 0, 5, tzinfo=datetime.UTC)
START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:00:42Z"
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [builders.container()]}}
SELECTOR = {"matchLabels": {"app": "x"}}
WIDE = {"CONTAINERS": "main", "IMAGES": "localhost/hello:1"}


def _row(kind, spec, status, **meta):
    obj = builders.of_kind(kind, spec=spec, status=status)
    obj["metadata"] |= {"creationTimestamp": START, **meta}
    headers = [column["name"].upper() for column in tables.column_definitions(kind)]
    return dict(zip(headers, tables.row(kind, obj, NOW)["cells"], strict=True))


def test_stateful_set():
    found = _row(kinds.STATEFUL_SET, {"replicas": 3, "template": TEMPLATE}, {"readyReplicas": 1})
    assert found == {"NAME": "x", "READY": "1/3", "AGE": "5m", **WIDE}


def test_daemon_set():
    template = {"spec": {"containers": [builders.container()], "nodeSelector": {"disk": "ssd"}}}
    counts = ("desired", "current", "updated")
    status = {f"{name}NumberScheduled": 2 for name in counts} | {"numberReady": 1, "numberAvailable": 1}
    assert _row(kinds.DAEMON_SET, {"selector": SELECTOR, "template": template}, status) == {
        "NAME": "x", "DESIRED": 2, "CURRENT": 2, "READY": 1, "UP-TO-DATE": 2, "AVAILABLE": 1,
        "NODE SELECTOR": "disk=ssd", "AGE": "5m", **WIDE, "SELECTOR": "app=x",
    }  # fmt: skip


def test_replication_controller():
    spec = {"replicas": 2, "selector": {"app": "x"}, "template": TEMPLATE}
    assert _row(kinds.REPLICATION_CONTROLLER, spec, {"replicas": 2, "readyReplicas": 1}) == {
        "NAME": "x", "DESIRED": 2, "CURRENT": 2, "READY": 1, "AGE": "5m", **WIDE, "SELECTOR": "app=x",
    }  # fmt: skip


def _true(*names):
    return [{"type": name, "status": "True"} for name in names]


JOBS = {
    "new": ({"completions": 3}, {}, {}, ("Running", "0/3", "")),
    "running": ({"completions": 3}, {"startTime": START, "succeeded": 1}, {}, ("Running", "1/3", "5m")),
    "queue": ({"parallelism": 4}, {"startTime": START}, {}, ("Running", "0/1 of 4", "5m")),
    "done": (
        {"completions": 1},
        {
            "startTime": START,
            "completionTime": END,
            "succeeded": 1,
            "conditions": _true("SuccessCriteriaMet", "Complete"),
        },
        {},
        ("Complete", "1/1", "42s"),
    ),
    "failed": ({"completions": 1}, {"conditions": _true("FailureTarget", "Failed")}, {}, ("Failed", "0/1", "")),
    "failing": ({"completions": 1}, {"conditions": _true("FailureTarget")}, {}, ("FailureTarget", "0/1", "")),
    "suspended": ({"completions": 1}, {"conditions": _true("Suspended")}, {}, ("Suspended", "0/1", "")),
    "going": ({"completions": 1}, {}, {"deletionTimestamp": END}, ("Terminating", "0/1", "")),
}


@pytest.mark.parametrize(("spec", "status", "meta", "expect"), JOBS.values(), ids=JOBS.keys())
def test_job(spec, status, meta, expect):
    found = _row(kinds.JOB, {"selector": SELECTOR, "template": TEMPLATE, **spec}, status, **meta)
    assert (found.pop("STATUS"), found.pop("COMPLETIONS"), found.pop("DURATION")) == expect
    assert found == {"NAME": "x", "AGE": "5m", **WIDE, "SELECTOR": "app=x"}


def test_cron_job():
    spec = {"schedule": "* * * * *", "suspend": False, "jobTemplate": {"spec": {"template": TEMPLATE}}}
    assert _row(kinds.CRON_JOB, spec, {"active": [{}], "lastScheduleTime": END}) == {
        "NAME": "x", "SCHEDULE": "* * * * *", "TIMEZONE": "<none>", "SUSPEND": "False", "ACTIVE": 1,
        "LAST SCHEDULE": "4m18s", "AGE": "5m", **WIDE, "SELECTOR": "<none>",
    }  # fmt: skip
