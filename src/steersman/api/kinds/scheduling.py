"""scheduling.k8s.io."""

from steersman.api.defaults import cluster as cluster_defaults
from steersman.api.kind import Kind
from steersman.api.printing import cluster as cluster_cells
from steersman.api.validation import cluster as cluster_rules

SCHEDULING = "scheduling.k8s.io"

PRIORITY_CLASS = Kind(
    SCHEDULING, "v1", "PriorityClass", "priorityclasses", "priorityclass", namespaced=False,
    short_names=("pc",),
    columns=cluster_cells.PRIORITY_CLASS_COLUMNS, cells=cluster_cells.priority_class,
    default=cluster_defaults.default_priority_class, validate=cluster_rules.validate_priority_class,
    spec_fields=("value", "globalDefault", "description", "preemptionPolicy"), has_generation=True,
)  # fmt: skip
