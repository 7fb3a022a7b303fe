"""discovery.k8s.io and networking.k8s.io."""

from steersman.api.defaults import network as network_defaults
from steersman.api.kind import Kind
from steersman.api.printing import network as network_cells
from steersman.api.validation import network as network_rules

DISCOVERY = "discovery.k8s.io"

ENDPOINT_SLICE = Kind(
    DISCOVERY, "v1", "EndpointSlice", "endpointslices", "endpointslice",
    columns=network_cells.ENDPOINT_SLICE_COLUMNS, cells=network_cells.endpoint_slice,
    default=network_defaults.default_endpoint_slice, validate=network_rules.validate_endpoint_slice,
    spec_fields=("addressType", "endpoints", "ports"), has_generation=True,
)  # fmt: skip
