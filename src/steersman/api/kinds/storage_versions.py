"""internal.apiserver.k8s.io and storagemigration.k8s.io: in which version objects are stored."""

from steersman.api import strategies
from steersman.api.kind import Kind, of_version
from steersman.api.kinds.shared import status
from steersman.api.printing import storage_versions as storage_version_cells
from steersman.api.validation import storage_versions as storage_version_rules

INTERNAL = "internal.apiserver.k8s.io"
MIGRATION = "storagemigration.k8s.io"

STORAGE_VERSION = Kind(
    INTERNAL, "v1alpha1", "StorageVersion", "storageversions", "storageversion", namespaced=False,
    subresources=(status("StorageVersion", INTERNAL, "v1alpha1"),),
    columns=storage_version_cells.STORAGE_VERSION_COLUMNS, cells=storage_version_cells.storage_version,
    validate=storage_version_rules.validate_storage_version,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
)  # fmt: skip

STORAGE_VERSION_MIGRATION = Kind(
    MIGRATION, "v1", "StorageVersionMigration", "storageversionmigrations", "storageversionmigration", namespaced=False,
    subresources=(status("StorageVersionMigration", MIGRATION),),
    validate=storage_version_rules.validate_migration,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
)  # fmt: skip

STORAGE_VERSION_MIGRATION_V1BETA1 = of_version(STORAGE_VERSION_MIGRATION, "v1beta1")
