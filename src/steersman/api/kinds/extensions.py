"""apiextensions.k8s.io."""

from steersman.api import strategies
from steersman.api.custom import definitions
from steersman.api.kind import Kind
from steersman.api.kinds.shared import status
from steersman.api.printing import config as config_cells

EXTENSIONS = "apiextensions.k8s.io"

CUSTOM_RESOURCE_DEFINITION = Kind(
    EXTENSIONS, "v1", "CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition", namespaced=False,
    short_names=("crd", "crds"), categories=("api-extensions",),
    subresources=(status("CustomResourceDefinition", EXTENSIONS),),
    columns=config_cells.ROLE_COLUMNS, cells=config_cells.role,
    default=definitions.default, validate=definitions.validate,
    prepare=definitions.prepare, prepare_status=strategies.keep_all_but_status_and_labels,
    has_generation=True,
)  # fmt: skip
