"""lifecycle.k8s.io: wishes that a pod be evicted, by whom, and who sees to it."""

from steersman.api import strategies
from steersman.api.kind import Kind
from steersman.api.kinds.shared import status
from steersman.api.validation import lifecycle as lifecycle_rules

LIFECYCLE = "lifecycle.k8s.io"

EVICTION_REQUEST = Kind(
    LIFECYCLE, "v1alpha1", "EvictionRequest", "evictionrequests", "evictionrequest",
    subresources=(status("EvictionRequest", LIFECYCLE, "v1alpha1"),),
    validate=lifecycle_rules.validate_eviction_request,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

POD_EVICTION = Kind(
    LIFECYCLE, "v1alpha1", "Eviction", "evictions", "eviction",
    subresources=(status("Eviction", LIFECYCLE, "v1alpha1"),),
    validate=lifecycle_rules.validate_eviction,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip
