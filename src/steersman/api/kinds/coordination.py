"""coordination.k8s.io."""

from steersman.api.defaults import cluster as cluster_defaults
from steersman.api.kind import Kind
from steersman.api.printing import cluster as cluster_cells
from steersman.api.validation import cluster as cluster_rules

COORDINATION = "coordination.k8s.io"

LEASE = Kind(
    COORDINATION, "v1", "Lease", "leases", "lease",
    columns=cluster_cells.LEASE_COLUMNS, cells=cluster_cells.lease,
    default=cluster_defaults.default_lease, validate=cluster_rules.validate_lease,
)  # fmt: skip
