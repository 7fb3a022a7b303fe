"""Jobs and CronJobs: upstream's rules and texts."""

import pytest

from steersman.api import kinds
from tests.api import builders


def _template(**spec):
    return {"spec": {"restartPolicy": "Never", "containers": [builders.container()], **spec}}


def _job(name="pi", **spec):
    found = builders.of_kind(kinds.JOB, name, spec={"template": _template(), **spec})
    found["metadata"]["uid"] = "u-1"
    return found


LABELS = {
    "controller-uid": "u-1",
    "batch.kubernetes.io/controller-uid": "u-1",
    "job-name": "pi",
    "batch.kubernetes.io/job-name": "pi",
}


def test_a_new_job_gets_a_selector_of_its_own():
    found = builders.stored(kinds.JOB, _job())
    assert found["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert found["spec"]["template"]["metadata"]["labels"] == found["metadata"]["labels"] == LABELS
    told = ("parallelism", "completions", "backoffLimit", "completionMode", "suspend", "podReplacementPolicy")
    assert [found["spec"][field] for field in told] == [1, 1, 6, "NonIndexed", False, "TerminatingOrFailed"]


def test_a_work_queue_has_no_completions():
    assert "completions" not in builders.stored(kinds.JOB, _job(parallelism=3))["spec"]


SHOWN = (
    "{"
    + ",".join(f'"{key}":"{LABELS[key]}"' for key in sorted(LABELS, key=lambda key: ("uid" in key, key[0] == "b")))
    + "}"
)

INDEXED = {"completionMode": "Indexed", "completions": 3}
RULE = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [3]}}


def _failure(**rule):
    found = {**RULE, **rule}
    return {"podFailurePolicy": {"rules": [{key: value for key, value in found.items() if value is not None}]}}


JOBS = {
    "right": ({}, []),
    "indexed": (INDEXED, []),
    "restart policy": ({"template": _template(restartPolicy="Always")}, [
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
    ]),
    "counts": ({"parallelism": -1, "backoffLimit": -2}, [
        "spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
        "spec.backoffLimit: Invalid value: -2: must be greater than or equal to 0",
    ]),
    "mode": ({"completionMode": "Any"}, [
        'spec.completionMode: Unsupported value: "Any": supported values: "Indexed", "NonIndexed"'
    ]),
    "indexed without completions": ({"completionMode": "Indexed", "parallelism": 1}, [
        "spec.completions: Required value: when completion mode is Indexed"
    ]),
    "limit per index": ({"backoffLimitPerIndex": 1}, [
        "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"
    ]),
    "failed indexes need a limit": ({**INDEXED, "maxFailedIndexes": 1}, [
        "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"
    ]),
    "failed indexes": ({**INDEXED, "maxFailedIndexes": 4, "backoffLimitPerIndex": 1}, [
        "spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions"
    ]),
    "many completions": (
        {"completionMode": "Indexed", "completions": 200_000, "parallelism": 20_000, "backoffLimitPerIndex": 1}, [
            "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
            "spec.parallelism: Invalid value: 20000: must be less than or equal to 10000 when completions are above "
            "100000 and used with backoff limit per index",
        ],
    ),
    "managedBy": ({"managedBy": "me"}, [
        'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'
    ]),
    "selector of another": ({"selector": {"matchLabels": {"a": "b"}}}, [
        'spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"u-1","a":"b"}}: `selector` '
        "not auto-generated",
        f"spec.template.metadata.labels: Invalid value: {SHOWN}: `selector` does not match template `labels`",
    ]),
    "manual selector": (
        {
            "manualSelector": True, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, **_template()},
        }, [],
    ),
    "failure policy": (_failure(), []),
    "failure policy needs Never": ({**_failure(), "template": _template(restartPolicy="OnFailure")}, [
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is '
        "specified"
    ]),
    "failure policy replaces failed ones": ({**_failure(), "podReplacementPolicy": "TerminatingOrFailed"}, [
        'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"'
    ]),
    "no action": (_failure(action=None), [
        'spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]'
    ]),
    "FailIndex": (_failure(action="FailIndex"), [
        'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set'
    ]),
    "no requirement": (_failure(onExitCodes=None), [
        "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"
    ]),
    "both requirements": (_failure(onPodConditions=[{"type": "X"}]), [
        "spec.podFailurePolicy.rules[0]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"
    ]),
    "exit codes": (_failure(onExitCodes={"operator": "In", "values": [3, 0, 3], "containerName": "x"}), [
        'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "x": must be one of the container or '
        "initContainer names in the pod template",
        "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator",
        "spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 3",
        "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,0,3]: must be ordered",
    ]),
    "success policy": ({**INDEXED, "successPolicy": {"rules": [{"succeededIndexes": "0,2", "succeededCount": 1}]}}, []),
    "success policy of all": ({"successPolicy": {"rules": [{"succeededCount": 1}]}}, [
        'spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode'
    ]),
    "success of what": ({**INDEXED, "successPolicy": {"rules": [{}]}}, [
        "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified"
    ]),
    "success of too many": (
        {**INDEXED, "successPolicy": {"rules": [{"succeededIndexes": "0,9"}, {"succeededCount": 4}]}}, [
            'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0,9": error parsing succeededIndexes: too large '
            'index: "9"',
            "spec.successPolicy.rules[1].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of "
            "specified completions)",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), JOBS.values(), ids=JOBS.keys())
def test_job(spec, expect):
    assert builders.refused(kinds.JOB, _job(**spec)) == expect


def test_the_name_of_an_indexed_job_is_a_host_name():
    assert builders.refused(kinds.JOB, _job("a" * 62, **INDEXED)) == [
        f'metadata.name: Invalid value: "{"a" * 62}": will not able to create pod with invalid DNS label: {"a" * 62}-2'
    ]


def _errors(new, old):
    assert kinds.JOB.validate is not None
    return [str(error) for error in kinds.JOB.validate(new, old)]


def _changed(old, **spec):
    found = {**old, "spec": {**old["spec"], **spec}}
    return _errors(found, old)


def test_what_an_update_may_change():
    old = builders.stored(kinds.JOB, _job(completions=3))
    assert _changed(old, parallelism=5, suspend=True, backoffLimit=0, ttlSecondsAfterFinished=3) == []
    assert _changed(old, completions=4) == ["spec.completions: Invalid value: 4: field is immutable"]
    template = old["spec"]["template"]
    directed = {**template, "spec": {**template["spec"], "nodeSelector": {"a": "b"}}}
    [refused] = _changed(old, template=directed)
    assert refused.startswith("spec.template: Invalid value: {")
    assert refused.endswith("field is immutable")
    assert _changed({**old, "spec": {**old["spec"], "suspend": True}}, template=directed, suspend=True) == []
    started = {**old, "spec": {**old["spec"], "suspend": True}, "status": {"startTime": "2026-01-01T00:00:00Z"}}
    assert len(_changed(started, template=directed, suspend=True)) == 1


@pytest.mark.parametrize(("active", "suspended", "count"), [(0, "True", 0), (1, "True", 1), (0, "False", 1)])
def test_a_suspended_job_without_pods_may_ask_for_more_and_go_elsewhere(active, suspended, count):
    old = builders.stored(kinds.JOB, _job(completions=3))
    told = {"startTime": "2026-01-01T00:00:00Z", "active": active}
    told["conditions"] = [{"type": "Suspended", "status": suspended}]
    rests = {**old, "spec": {**old["spec"], "suspend": True}, "status": told}
    template = old["spec"]["template"]
    more = [{**one, "resources": {"requests": {"cpu": "2"}}} for one in template["spec"]["containers"]]
    other = {**template, "spec": {**template["spec"], "containers": more, "nodeSelector": {"a": "b"}}}
    assert len(_changed(rests, template=other, suspend=True)) == count
    image = [{**one, "image": "other"} for one in template["spec"]["containers"]]
    assert (
        len(_changed(rests, template={**template, "spec": {**template["spec"], "containers": image}}, suspend=True))
        == 1
    )


def test_an_indexed_job_grows_with_its_parallelism():
    old = builders.stored(kinds.JOB, _job(**INDEXED, parallelism=3))
    assert _changed(old, completions=5, parallelism=5) == []
    assert _changed(old, completions=5) == [
        "spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism"
    ]


def _true(*names):
    return [{"type": name, "status": "True"} for name in names]


START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
DONE = {"startTime": START, "completionTime": END, "conditions": _true("SuccessCriteriaMet", "Complete")}
STATUSES = {
    "running": ({"active": 1, "startTime": START}, {}, []),
    "done": (DONE, {"startTime": START}, []),
    "done with active pods": ({**DONE, "active": 1}, {"startTime": START}, [
        "status.active: Invalid value: 1: active>0 is invalid for finished job"
    ]),
    "done without time": ({"startTime": START, "conditions": _true("Complete")}, {"startTime": START}, [
        "status.completionTime: Required value: completionTime is required for Complete jobs"
    ]),
    "done and failed": ({**DONE, "conditions": _true("Complete", "Failed")}, {"startTime": START}, [
        "status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions"
    ]),
    "done before it began": ({**DONE, "startTime": END, "completionTime": START}, {"startTime": END}, [
        f'status.completionTime: Invalid value: "{START}": completionTime cannot be set before startTime'
    ]),
    "undone": ({"startTime": START}, DONE, [
        "status.conditions: Invalid value: cannot disable the terminal Complete=True condition",
        "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
    ]),
    "uncounted": ({"succeeded": 1, "startTime": START}, {"succeeded": 2, "startTime": START}, [
        "status.succeeded: Invalid value: 1: cannot decrease the succeeded counter"
    ]),
    "restarted": ({"startTime": END}, {"startTime": START}, [
        "status.startTime: Required value: startTime cannot be removed for unsuspended job"
    ]),
    "indexes of none": ({"completedIndexes": "0"}, {}, [
        'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode'
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("status", "before", "expect"), STATUSES.values(), ids=STATUSES.keys())
def test_status(status, before, expect):
    job = builders.stored(kinds.JOB, _job())
    assert _errors({**job, "status": status}, {**job, "status": before}) == expect


def _cron_job(name="report", **spec):
    found = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": _template()}}, **spec}
    return builders.of_kind(kinds.CRON_JOB, name, spec=found)


CRON_JOBS = {
    "right": ({}, []),
    "zone": ({"timeZone": "Europe/Berlin"}, []),
    "no schedule": ({"schedule": ""}, ["spec.schedule: Required value"]),
    "schedule": ({"schedule": "* * *"}, [
        'spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]'
    ]),
    "zone in schedule": ({"schedule": "TZ=UTC * * * * *"}, [
        'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead'
    ]),
    "unknown zone": ({"timeZone": "Mars/Base"}, [
        'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'
    ]),
    "local zone": ({"timeZone": "Local"}, [
        'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in '
        "https://www.iana.org/time-zones"
    ]),
    "concurrency": ({"concurrencyPolicy": "Any"}, [
        'spec.concurrencyPolicy: Unsupported value: "Any": supported values: "Allow", "Forbid", "Replace"'
    ]),
    "limits": ({"failedJobsHistoryLimit": -1, "startingDeadlineSeconds": -1}, [
        "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0",
        "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
    ]),
    "template": ({"jobTemplate": {"spec": {"template": _template(restartPolicy="Always"), "parallelism": -1}}}, [
        "spec.jobTemplate.spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
        'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ]),
    "selector": ({"jobTemplate": {"spec": {"template": _template(), "manualSelector": True}}}, [
        'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"'
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), CRON_JOBS.values(), ids=CRON_JOBS.keys())
def test_cron_job(spec, expect):
    assert builders.refused(kinds.CRON_JOB, _cron_job(**spec)) == expect


def test_the_name_of_a_cron_job_leaves_room_for_its_jobs():
    assert builders.refused(kinds.CRON_JOB, _cron_job("a" * 53)) == [
        f'metadata.name: Invalid value: "{"a" * 53}": must be no more than 52 characters'
    ]
