"""scheduling.k8s.io: priorities, and pods that are placed as groups."""

from steersman.api import strategies
from steersman.api.defaults import cluster as cluster_defaults
from steersman.api.defaults import workload_groups as group_defaults
from steersman.api.kind import Kind, of_version
from steersman.api.kinds.shared import status
from steersman.api.printing import cluster as cluster_cells
from steersman.api.validation import cluster as cluster_rules
from steersman.api.validation import workload_groups as group_rules

SCHEDULING = "scheduling.k8s.io"

PRIORITY_CLASS = Kind(
    SCHEDULING, "v1", "PriorityClass", "priorityclasses", "priorityclass", namespaced=False,
    short_names=("pc",),
    columns=cluster_cells.PRIORITY_CLASS_COLUMNS, cells=cluster_cells.priority_class,
    default=cluster_defaults.default_priority_class, validate=cluster_rules.validate_priority_class,
    spec_fields=("value", "globalDefault", "description", "preemptionPolicy"), has_generation=True,
    creates_on_update=True,
)  # fmt: skip

WORKLOAD_V1BETA1 = Kind(
    SCHEDULING, "v1beta1", "Workload", "workloads", "workload",
    validate=group_rules.validate_workload,
    has_generation=True,
)  # fmt: skip

POD_GROUP_V1BETA1 = Kind(
    SCHEDULING, "v1beta1", "PodGroup", "podgroups", "podgroup",
    subresources=(status("PodGroup", SCHEDULING, "v1beta1"),),
    default=group_defaults.default_pod_group, validate=group_rules.validate_pod_group,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

COMPOSITE_POD_GROUP_V1ALPHA3 = Kind(
    SCHEDULING, "v1alpha3", "CompositePodGroup", "compositepodgroups", "compositepodgroup",
    subresources=(status("CompositePodGroup", SCHEDULING, "v1alpha3"),),
    default=group_defaults.default_pod_group, validate=group_rules.validate_composite_pod_group,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

WORKLOAD_V1ALPHA3 = of_version(WORKLOAD_V1BETA1, "v1alpha3")
POD_GROUP_V1ALPHA3 = of_version(POD_GROUP_V1BETA1, "v1alpha3")
