"""apps: what keeps pods running."""

from steersman.api import selectable, strategies
from steersman.api.defaults import sets as set_defaults
from steersman.api.defaults import workloads as workload_defaults
from steersman.api.kind import Kind
from steersman.api.kinds.shared import ALL, scale, status
from steersman.api.printing import workloads as workload_cells
from steersman.api.validation import sets as set_rules
from steersman.api.validation import workloads as workload_rules
from steersman.api.warnings import workloads as workload_warnings

APPS = "apps"

REPLICA_SET = Kind(
    APPS, "v1", "ReplicaSet", "replicasets", "replicaset",
    short_names=("rs",), categories=ALL,
    subresources=(status("ReplicaSet", APPS), scale()),
    columns=workload_cells.REPLICA_SET_COLUMNS, cells=workload_cells.replica_set,
    default=workload_defaults.default_replica_set, validate=workload_rules.validate_replica_set,
    warnings=workload_warnings.of_template_at("spec", "template"),
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_replica_set,
    has_generation=True,
)  # fmt: skip

DEPLOYMENT = Kind(
    APPS, "v1", "Deployment", "deployments", "deployment",
    short_names=("deploy",), categories=ALL,
    subresources=(status("Deployment", APPS), scale()),
    columns=workload_cells.DEPLOYMENT_COLUMNS, cells=workload_cells.deployment,
    default=workload_defaults.default_deployment, validate=workload_rules.validate_deployment,
    warnings=workload_warnings.of_template_at("spec", "template"),
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

STATEFUL_SET = Kind(
    APPS, "v1", "StatefulSet", "statefulsets", "statefulset",
    short_names=("sts",), categories=ALL,
    subresources=(status("StatefulSet", APPS), scale()),
    columns=workload_cells.STATEFUL_SET_COLUMNS, cells=workload_cells.stateful_set,
    default=set_defaults.default_stateful_set, validate=set_rules.validate_stateful_set,
    warnings=workload_warnings.of_stateful_set,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

DAEMON_SET = Kind(
    APPS, "v1", "DaemonSet", "daemonsets", "daemonset",
    short_names=("ds",), categories=ALL,
    subresources=(status("DaemonSet", APPS),),
    columns=workload_cells.DAEMON_SET_COLUMNS, cells=workload_cells.daemon_set,
    default=set_defaults.default_daemon_set, validate=set_rules.validate_daemon_set,
    warnings=workload_warnings.of_template_at("spec", "template", named=False),
    prepare=strategies.prepare_daemon_set, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

CONTROLLER_REVISION = Kind(
    APPS, "v1", "ControllerRevision", "controllerrevisions", "controllerrevision",
    columns=workload_cells.CONTROLLER_REVISION_COLUMNS, cells=workload_cells.controller_revision,
    validate=workload_rules.validate_controller_revision,
)  # fmt: skip
