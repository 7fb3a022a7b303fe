"""coordination.k8s.io."""

from steersman.api.defaults import cluster as cluster_defaults
from steersman.api.kind import Deprecation, Kind, of_version
from steersman.api.printing import cluster as cluster_cells
from steersman.api.validation import leases as lease_rules

COORDINATION = "coordination.k8s.io"

LEASE = Kind(
    COORDINATION, "v1", "Lease", "leases", "lease",
    columns=cluster_cells.LEASE_COLUMNS, cells=cluster_cells.lease,
    default=cluster_defaults.default_lease, validate=lease_rules.validate_lease,
    creates_on_update=True,
)  # fmt: skip

LEASE_CANDIDATE_V1BETA1 = Kind(
    COORDINATION, "v1beta1", "LeaseCandidate", "leasecandidates", "leasecandidate",
    columns=cluster_cells.LEASE_CANDIDATE_COLUMNS, cells=cluster_cells.lease_candidate,
    validate=lease_rules.validate_lease_candidate,
    deprecation=Deprecation(36, 39),
)  # fmt: skip

LEASE_CANDIDATE_V1ALPHA2 = of_version(LEASE_CANDIDATE_V1BETA1, "v1alpha2", deprecation=None)
