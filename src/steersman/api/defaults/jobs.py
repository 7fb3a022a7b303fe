"""Defaults of Jobs and CronJobs."""

from steersman.api.defaults import pods
from steersman.meta.objects import Object

BACKOFF_LIMIT = 6
UNLIMITED = 2**31 - 1  # with a limit per index there is none for the whole
SUCCESSFUL_JOBS_KEPT = 3
FAILED_JOBS_KEPT = 1


def default_job(job: Object) -> None:
    spec = job.setdefault("spec", {})
    if spec.get("parallelism") is None:
        if spec.get("completions") is None:
            spec["completions"] = 1
        spec["parallelism"] = 1
    per_index = spec.get("backoffLimitPerIndex") is not None
    spec.setdefault("backoffLimit", UNLIMITED if per_index else BACKOFF_LIMIT)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    failed_only = spec.get("podFailurePolicy") is not None
    spec.setdefault("podReplacementPolicy", "Failed" if failed_only else "TerminatingOrFailed")
    _default_conditions(spec)
    template = spec.setdefault("template", {})
    pods.default_template(template)
    labels = template["metadata"].get("labels")
    if labels and not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(labels)
    job.setdefault("status", {})


def default_cron_job(cron_job: Object) -> None:
    spec = cron_job.setdefault("spec", {})
    spec["concurrencyPolicy"] = spec.get("concurrencyPolicy") or "Allow"
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", SUCCESSFUL_JOBS_KEPT)
    spec.setdefault("failedJobsHistoryLimit", FAILED_JOBS_KEPT)
    template = spec.setdefault("jobTemplate", {})
    template.setdefault("metadata", {})
    of_job = template.setdefault("spec", {})
    _default_conditions(of_job)
    pods.default_template(of_job.setdefault("template", {}))
    cron_job.setdefault("status", {})


def _default_conditions(spec: Object) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"
