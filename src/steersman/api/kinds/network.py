"""discovery.k8s.io and networking.k8s.io."""

from steersman.api import strategies
from steersman.api.defaults import network as network_defaults
from steersman.api.defaults import networking as networking_defaults
from steersman.api.kind import Kind
from steersman.api.kinds.shared import status
from steersman.api.printing import network as network_cells
from steersman.api.printing import networking as networking_cells
from steersman.api.validation import ingresses as ingress_rules
from steersman.api.validation import network as network_rules
from steersman.api.validation import network_policies as policy_rules
from steersman.api.validation import service_cidrs as cidr_rules

DISCOVERY = "discovery.k8s.io"
NETWORKING = "networking.k8s.io"

ENDPOINT_SLICE = Kind(
    DISCOVERY, "v1", "EndpointSlice", "endpointslices", "endpointslice",
    columns=network_cells.ENDPOINT_SLICE_COLUMNS, cells=network_cells.endpoint_slice,
    default=network_defaults.default_endpoint_slice, validate=network_rules.validate_endpoint_slice,
    spec_fields=("addressType", "endpoints", "ports"), has_generation=True,
    creates_on_update=True,
)  # fmt: skip

INGRESS = Kind(
    NETWORKING, "v1", "Ingress", "ingresses", "ingress",
    short_names=("ing",),
    subresources=(status("Ingress", NETWORKING),),
    columns=networking_cells.INGRESS_COLUMNS, cells=networking_cells.ingress,
    validate=ingress_rules.validate_ingress,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

INGRESS_CLASS = Kind(
    NETWORKING, "v1", "IngressClass", "ingressclasses", "ingressclass", namespaced=False,
    columns=networking_cells.INGRESS_CLASS_COLUMNS, cells=networking_cells.ingress_class,
    default=networking_defaults.default_ingress_class, validate=ingress_rules.validate_ingress_class,
    has_generation=True,
)  # fmt: skip

NETWORK_POLICY = Kind(
    NETWORKING, "v1", "NetworkPolicy", "networkpolicies", "networkpolicy",
    short_names=("netpol",),
    columns=networking_cells.NETWORK_POLICY_COLUMNS, cells=networking_cells.network_policy,
    default=networking_defaults.default_network_policy, validate=policy_rules.validate_network_policy,
    has_generation=True,
)  # fmt: skip

SERVICE_CIDR = Kind(
    NETWORKING, "v1", "ServiceCIDR", "servicecidrs", "servicecidr", namespaced=False,
    subresources=(status("ServiceCIDR", NETWORKING),),
    columns=networking_cells.SERVICE_CIDR_COLUMNS, cells=networking_cells.service_cidr,
    validate=cidr_rules.validate_service_cidr,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
)  # fmt: skip

IP_ADDRESS = Kind(
    NETWORKING, "v1", "IPAddress", "ipaddresses", "ipaddress", namespaced=False,
    short_names=("ip",),
    columns=networking_cells.IP_ADDRESS_COLUMNS, cells=networking_cells.ip_address,
    validate=cidr_rules.validate_ip_address,
)  # fmt: skip
