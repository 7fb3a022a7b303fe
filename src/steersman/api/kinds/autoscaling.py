"""autoscaling: how many replicas there should be."""

from steersman.api import strategies
from steersman.api.conversions import autoscalers as conversion
from steersman.api.defaults import autoscalers as autoscaler_defaults
from steersman.api.kind import Kind, Storage
from steersman.api.kinds.shared import ALL, status
from steersman.api.printing import autoscalers as autoscaler_cells
from steersman.api.validation import autoscalers as autoscaler_rules

AUTOSCALING = "autoscaling"

HORIZONTAL_POD_AUTOSCALER = Kind(
    AUTOSCALING, "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "horizontalpodautoscaler",
    short_names=("hpa",), categories=ALL,
    subresources=(status("HorizontalPodAutoscaler", AUTOSCALING, "v2"),),
    columns=autoscaler_cells.COLUMNS, cells=autoscaler_cells.autoscaler,
    default=autoscaler_defaults.default_autoscaler, validate=autoscaler_rules.validate_autoscaler,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
)  # fmt: skip

HORIZONTAL_POD_AUTOSCALER_V1 = Kind(
    AUTOSCALING, "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "horizontalpodautoscaler",
    short_names=("hpa",), categories=ALL,
    subresources=(status("HorizontalPodAutoscaler", AUTOSCALING),),
    columns=autoscaler_cells.COLUMNS, cells=autoscaler_cells.autoscaler_v1,
    default=autoscaler_defaults.default_autoscaler_v1, validate=autoscaler_rules.validate_autoscaler_v1,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    storage=Storage(HORIZONTAL_POD_AUTOSCALER, conversion.to_v2, conversion.from_v2),
)  # fmt: skip
