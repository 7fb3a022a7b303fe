"""apiregistration.k8s.io."""

from steersman.api import registration as registration_rules
from steersman.api import strategies
from steersman.api.defaults import cluster as cluster_defaults
from steersman.api.kind import Kind
from steersman.api.kinds.shared import status
from steersman.api.printing import api_services as api_service_cells
from steersman.api.validation import api_services as api_service_rules

REGISTRATION = "apiregistration.k8s.io"

API_SERVICE = Kind(
    REGISTRATION, "v1", "APIService", "apiservices", "apiservice", namespaced=False,
    categories=("api-extensions",),
    subresources=(status("APIService", REGISTRATION),),
    columns=api_service_cells.COLUMNS, cells=api_service_cells.row,
    default=cluster_defaults.default_api_service, validate=api_service_rules.validate,
    prepare=registration_rules.prepare, prepare_status=strategies.keep_all_but_status,
)  # fmt: skip
