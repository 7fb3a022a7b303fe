"""storage.k8s.io: classes of volumes, the drivers that make them, and where they are attached."""

from steersman.api import strategies
from steersman.api.defaults import storage as storage_defaults
from steersman.api.kind import Kind
from steersman.api.kinds.shared import status
from steersman.api.printing import storage as storage_cells
from steersman.api.validation import csi as csi_rules
from steersman.api.validation import storage as storage_rules

STORAGE = "storage.k8s.io"

STORAGE_CLASS = Kind(
    STORAGE, "v1", "StorageClass", "storageclasses", "storageclass", namespaced=False,
    short_names=("sc",),
    columns=storage_cells.CLASS_COLUMNS, cells=storage_cells.storage_class,
    default=storage_defaults.default_class, validate=storage_rules.validate_class,
    deletes_to_status=False,
)  # fmt: skip

VOLUME_ATTRIBUTES_CLASS = Kind(
    STORAGE, "v1", "VolumeAttributesClass", "volumeattributesclasses", "volumeattributesclass", namespaced=False,
    short_names=("vac",),
    columns=storage_cells.ATTRIBUTES_CLASS_COLUMNS, cells=storage_cells.attributes_class,
    validate=storage_rules.validate_attributes_class,
    deletes_to_status=False,
)  # fmt: skip

VOLUME_ATTACHMENT = Kind(
    STORAGE, "v1", "VolumeAttachment", "volumeattachments", "volumeattachment", namespaced=False,
    subresources=(status("VolumeAttachment", STORAGE),),
    columns=storage_cells.ATTACHMENT_COLUMNS, cells=storage_cells.attachment,
    default=storage_defaults.default_attachment, validate=storage_rules.validate_attachment,
    prepare=strategies.prepare_attachment, prepare_status=strategies.keep_all_but_status,
    deletes_to_status=False,
)  # fmt: skip

CSI_DRIVER = Kind(
    STORAGE, "v1", "CSIDriver", "csidrivers", "csidriver", namespaced=False,
    columns=storage_cells.DRIVER_COLUMNS, cells=storage_cells.driver,
    default=storage_defaults.default_driver, validate=csi_rules.validate_driver,
    deletes_to_status=False,
)  # fmt: skip

CSI_NODE = Kind(
    STORAGE, "v1", "CSINode", "csinodes", "csinode", namespaced=False,
    columns=storage_cells.CSI_NODE_COLUMNS, cells=storage_cells.csi_node,
    default=storage_defaults.default_csi_node, validate=csi_rules.validate_node,
    deletes_to_status=False,
)  # fmt: skip

CSI_STORAGE_CAPACITY = Kind(
    STORAGE, "v1", "CSIStorageCapacity", "csistoragecapacities", "csistoragecapacity",
    columns=storage_cells.CAPACITY_COLUMNS, cells=storage_cells.capacity,
    validate=csi_rules.validate_capacity,
)  # fmt: skip
