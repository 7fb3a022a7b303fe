"""Jobs and their pods for tests, one relevant fact per argument."""

from typing import Any

from steersman.controllers.job.view import FAILURES_OF_INDEX, FINALIZER, INDEX
from steersman.meta import owners
from steersman.meta.objects import Object
from tests.controllers import shapes

LABELS = {"batch.kubernetes.io/controller-uid": "j-1", "batch.kubernetes.io/job-name": "pi"}


def job(status: Object | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "pi", "namespace": "default", "uid": "j-1", "resourceVersion": "7", "generation": 1},
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "podReplacementPolicy": "TerminatingOrFailed",
            "suspend": False,
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "j-1"}},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "pi", "image": "pi:1"}]},
            },
            **spec,
        },
        "status": status or {},
    }


def pod(
    name: str,
    phase: str = "Running",
    *,
    index: int | None = None,
    failures: int | None = None,
    code: int | None = None,
    tracked: bool = True,
    **meta: Any,
) -> Object:
    annotations = {INDEX: str(index)} if index is not None else {}
    if failures is not None:
        annotations[FAILURES_OF_INDEX] = str(failures)
    status: Object = {"phase": phase}
    if phase in ("Succeeded", "Failed"):
        ended = {"exitCode": code or int(phase == "Failed"), "finishedAt": shapes.STAMP}
        status["containerStatuses"] = [{"name": "pi", "restartCount": 0, "state": {"terminated": ended}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "resourceVersion": "1",
            "creationTimestamp": shapes.STAMP,
            "labels": LABELS,
            "annotations": annotations,
            "finalizers": [FINALIZER] if tracked else [],
            "ownerReferences": [owners.make(job())],
            **meta,
        },
        "spec": {"nodeName": "n"},
        "status": status,
    }
