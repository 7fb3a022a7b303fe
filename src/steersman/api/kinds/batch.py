"""batch: what runs to an end."""

from steersman.api import selectable, strategies
from steersman.api.defaults import jobs as job_defaults
from steersman.api.kind import Kind
from steersman.api.kinds.shared import ALL, status
from steersman.api.printing import jobs as job_cells
from steersman.api.validation import cron_jobs as cron_job_rules
from steersman.api.validation import jobs as job_rules
from steersman.api.warnings import workloads as workload_warnings

BATCH = "batch"

JOB = Kind(
    BATCH, "v1", "Job", "jobs", "job",
    categories=ALL,
    subresources=(status("Job", BATCH),),
    columns=job_cells.JOB_COLUMNS, cells=job_cells.job,
    default=job_defaults.default_job, validate=job_rules.validate_job,
    warnings=workload_warnings.of_job,
    prepare=strategies.prepare_job, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_job,
    has_generation=True, orphans_by_default=True,
    delete_warning="child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
    "them or set propagationPolicy=Orphan to suppress this warning",
)  # fmt: skip

CRON_JOB = Kind(
    BATCH, "v1", "CronJob", "cronjobs", "cronjob",
    short_names=("cj",), categories=ALL,
    subresources=(status("CronJob", BATCH),),
    columns=job_cells.CRON_JOB_COLUMNS, cells=job_cells.cron_job,
    default=job_defaults.default_cron_job, validate=cron_job_rules.validate_cron_job,
    warnings=workload_warnings.of_cron_job,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip
