"""resource.k8s.io: devices, who offers them and who claims them (dynamic resource allocation)."""

from steersman.api import selectable, strategies
from steersman.api.conversions import resource as conversion
from steersman.api.defaults import resource as resource_defaults
from steersman.api.kind import Deprecation, Kind, Storage, of_version
from steersman.api.kinds.shared import status
from steersman.api.printing import resource as resource_cells
from steersman.api.validation import device_slices as slice_rules
from steersman.api.validation import devices as device_rules

RESOURCE = "resource.k8s.io"

DEVICE_CLASS = Kind(
    RESOURCE, "v1", "DeviceClass", "deviceclasses", "deviceclass", namespaced=False,
    validate=device_rules.validate_class,
    has_generation=True,
)  # fmt: skip

RESOURCE_CLAIM = Kind(
    RESOURCE, "v1", "ResourceClaim", "resourceclaims", "resourceclaim",
    subresources=(status("ResourceClaim", RESOURCE),),
    columns=resource_cells.CLAIM_COLUMNS, cells=resource_cells.claim,
    default=resource_defaults.default_claim, validate=device_rules.validate_claim,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
)  # fmt: skip

RESOURCE_CLAIM_TEMPLATE = Kind(
    RESOURCE, "v1", "ResourceClaimTemplate", "resourceclaimtemplates", "resourceclaimtemplate",
    default=resource_defaults.default_template, validate=device_rules.validate_claim_template,
)  # fmt: skip

RESOURCE_SLICE = Kind(
    RESOURCE, "v1", "ResourceSlice", "resourceslices", "resourceslice", namespaced=False,
    columns=resource_cells.SLICE_COLUMNS, cells=resource_cells.resource_slice,
    validate=slice_rules.validate_slice,
    fields=selectable.of_resource_slice,
    has_generation=True,
    creates_on_update=True,
)  # fmt: skip

DEVICE_TAINT_RULE = Kind(
    RESOURCE, "v1", "DeviceTaintRule", "devicetaintrules", "devicetaintrule", namespaced=False,
    subresources=(status("DeviceTaintRule", RESOURCE),),
    validate=slice_rules.validate_taint_rule,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

RESOURCE_POOL_STATUS_REQUEST = Kind(
    RESOURCE, "v1alpha3", "ResourcePoolStatusRequest", "resourcepoolstatusrequests", "resourcepoolstatusrequest",
    namespaced=False,
    subresources=(status("ResourcePoolStatusRequest", RESOURCE, "v1alpha3"),),
    validate=slice_rules.validate_pool_status_request,
    prepare=strategies.keep_status, prepare_status=strategies.keep_all_but_status,
)  # fmt: skip

_BETA2 = Deprecation(36, 39)
DEVICE_CLASS_V1BETA2 = of_version(DEVICE_CLASS, "v1beta2", deprecation=_BETA2)
RESOURCE_CLAIM_V1BETA2 = of_version(RESOURCE_CLAIM, "v1beta2", deprecation=_BETA2)
RESOURCE_CLAIM_TEMPLATE_V1BETA2 = of_version(RESOURCE_CLAIM_TEMPLATE, "v1beta2", deprecation=_BETA2)
RESOURCE_SLICE_V1BETA2 = of_version(RESOURCE_SLICE, "v1beta2", deprecation=_BETA2)
DEVICE_TAINT_RULE_V1BETA2 = of_version(DEVICE_TAINT_RULE, "v1beta2")
DEVICE_TAINT_RULE_V1ALPHA3 = of_version(DEVICE_TAINT_RULE, "v1alpha3")

# The first beta has other shapes.
_BETA1 = Deprecation(35, 38)
DEVICE_CLASS_V1BETA1 = of_version(DEVICE_CLASS, "v1beta1", deprecation=_BETA1)
RESOURCE_CLAIM_V1BETA1 = of_version(
    RESOURCE_CLAIM, "v1beta1", deprecation=_BETA1,
    storage=Storage(RESOURCE_CLAIM, conversion.claim_to_v1, conversion.claim_from_v1),
    validate=device_rules.seen_as(conversion.claim_to_v1, device_rules.validate_claim),
)  # fmt: skip
RESOURCE_CLAIM_TEMPLATE_V1BETA1 = of_version(
    RESOURCE_CLAIM_TEMPLATE, "v1beta1", deprecation=_BETA1,
    storage=Storage(RESOURCE_CLAIM_TEMPLATE, conversion.template_to_v1, conversion.template_from_v1),
    validate=device_rules.seen_as(conversion.template_to_v1, device_rules.validate_claim_template),
)  # fmt: skip
RESOURCE_SLICE_V1BETA1 = of_version(
    RESOURCE_SLICE, "v1beta1", deprecation=_BETA1,
    storage=Storage(RESOURCE_SLICE, conversion.slice_to_v1, conversion.slice_from_v1),
    validate=device_rules.seen_as(conversion.slice_to_v1, slice_rules.validate_slice),
)  # fmt: skip
