"""rbac.authorization.k8s.io."""

from steersman.api.defaults import cluster as cluster_defaults
from steersman.api.kind import Kind
from steersman.api.printing import config as config_cells
from steersman.api.validation import rbac as rbac_rules

RBAC = "rbac.authorization.k8s.io"

ROLE = Kind(
    RBAC, "v1", "Role", "roles", "role",
    columns=config_cells.ROLE_COLUMNS, cells=config_cells.role,
    default=cluster_defaults.default_role, validate=rbac_rules.validate_role,
    creates_on_update=True,
)  # fmt: skip

ROLE_BINDING = Kind(
    RBAC, "v1", "RoleBinding", "rolebindings", "rolebinding",
    columns=config_cells.ROLE_BINDING_COLUMNS, cells=config_cells.binding,
    default=cluster_defaults.default_binding, validate=rbac_rules.validate_role_binding,
    creates_on_update=True,
)  # fmt: skip

CLUSTER_ROLE = Kind(
    RBAC, "v1", "ClusterRole", "clusterroles", "clusterrole", namespaced=False,
    columns=config_cells.ROLE_COLUMNS, cells=config_cells.role,
    default=cluster_defaults.default_role, validate=rbac_rules.validate_cluster_role,
    creates_on_update=True,
)  # fmt: skip

CLUSTER_ROLE_BINDING = Kind(
    RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", namespaced=False,
    columns=config_cells.CLUSTER_ROLE_BINDING_COLUMNS, cells=config_cells.binding,
    default=cluster_defaults.default_binding, validate=rbac_rules.validate_cluster_role_binding,
    creates_on_update=True,
)  # fmt: skip
