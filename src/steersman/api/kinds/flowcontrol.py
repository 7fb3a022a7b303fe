"""flowcontrol.apiserver.k8s.io."""

from steersman.api import strategies
from steersman.api.defaults import flows as flow_defaults
from steersman.api.kind import Kind
from steersman.api.kinds.shared import status
from steersman.api.printing import flows as flow_cells
from steersman.api.validation import flows as flow_rules

FLOW_CONTROL = "flowcontrol.apiserver.k8s.io"

FLOW_SCHEMA = Kind(
    FLOW_CONTROL, "v1", "FlowSchema", "flowschemas", "flowschema", namespaced=False,
    subresources=(status("FlowSchema", FLOW_CONTROL),),
    columns=flow_cells.SCHEMA_COLUMNS, cells=flow_cells.schema,
    default=flow_defaults.default_schema, validate=flow_rules.validate_schema,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

PRIORITY_LEVEL_CONFIGURATION = Kind(
    FLOW_CONTROL, "v1", "PriorityLevelConfiguration", "prioritylevelconfigurations", "prioritylevelconfiguration",
    namespaced=False,
    subresources=(status("PriorityLevelConfiguration", FLOW_CONTROL),),
    columns=flow_cells.LEVEL_COLUMNS, cells=flow_cells.level,
    default=flow_defaults.default_level, validate=flow_rules.validate_level,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip
