"""node.k8s.io: ways to run containers."""

from steersman.api.kind import Kind
from steersman.api.printing import node as node_cells
from steersman.api.validation import node as node_rules
from steersman.api.warnings import others as other_warnings

NODE_GROUP = "node.k8s.io"

RUNTIME_CLASS = Kind(
    NODE_GROUP, "v1", "RuntimeClass", "runtimeclasses", "runtimeclass", namespaced=False,
    columns=node_cells.RUNTIME_CLASS_COLUMNS, cells=node_cells.runtime_class,
    validate=node_rules.validate_runtime_class,
    warnings=other_warnings.of_runtime_class,
)  # fmt: skip
