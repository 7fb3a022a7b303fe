"""The core group (`/api/v1`)."""

from steersman.api import selectable, strategies
from steersman.api.defaults import cluster as cluster_defaults
from steersman.api.defaults import events as event_defaults
from steersman.api.defaults import limits as limit_defaults
from steersman.api.defaults import network as network_defaults
from steersman.api.defaults import pods as pod_defaults
from steersman.api.defaults import sets as set_defaults
from steersman.api.defaults import storage as storage_defaults
from steersman.api.defaults import workloads as workload_defaults
from steersman.api.kind import Deprecation, Kind, Subresource
from steersman.api.kinds.shared import ALL, proxy, scale, status
from steersman.api.printing import cluster as cluster_cells
from steersman.api.printing import config as config_cells
from steersman.api.printing import events as event_cells
from steersman.api.printing import network as network_cells
from steersman.api.printing import pods as pod_cells
from steersman.api.printing import quotas as quota_cells
from steersman.api.printing import storage as storage_cells
from steersman.api.printing import workloads as workload_cells
from steersman.api.validation import claims as claim_rules
from steersman.api.validation import cluster as cluster_rules
from steersman.api.validation import config as config_rules
from steersman.api.validation import events as event_rules
from steersman.api.validation import network as network_rules
from steersman.api.validation import persistent_volumes as volume_rules
from steersman.api.validation import pods as pod_rules
from steersman.api.validation import quotas as quota_rules
from steersman.api.validation import services as service_rules
from steersman.api.validation import sets as set_rules
from steersman.api.validation import workloads as workload_rules
from steersman.api.warnings import others as other_warnings
from steersman.api.warnings import pods as pod_warnings
from steersman.api.warnings import workloads as workload_warnings

_CONNECT = ("create", "get")

NAMESPACE = Kind(
    "", "v1", "Namespace", "namespaces", "namespace", namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=(status("Namespace"), Subresource("finalize", "Namespace", "", "v1", ("update",))),
    columns=cluster_cells.NAMESPACE_COLUMNS, cells=cluster_cells.namespace,
    default=cluster_defaults.default_namespace, validate=cluster_rules.validate_namespace,
    prepare=strategies.prepare_namespace, prepare_status=strategies.keep_all_but_status_and_labels,
    fields=selectable.of_namespace,
)  # fmt: skip

NODE = Kind(
    "", "v1", "Node", "nodes", "node", namespaced=False,
    short_names=("no",),
    subresources=(status("Node"), proxy("NodeProxyOptions")),
    columns=cluster_cells.NODE_COLUMNS, cells=cluster_cells.node,
    default=cluster_defaults.default_node, validate=cluster_rules.validate_node,
    warnings=other_warnings.of_node,
    prepare=strategies.prepare_node, prepare_status=strategies.keep_all_but_status_and_labels,
    fields=selectable.of_node,
)  # fmt: skip

POD = Kind(
    "", "v1", "Pod", "pods", "pod",
    short_names=("po",), categories=ALL,
    subresources=(
        status("Pod"),
        Subresource("log", "Pod", "", "v1", ("get",)),
        Subresource("exec", "PodExecOptions", "", "v1", _CONNECT),
        Subresource("attach", "PodAttachOptions", "", "v1", _CONNECT),
        Subresource("portforward", "PodPortForwardOptions", "", "v1", _CONNECT),
        Subresource("binding", "Binding", "", "v1", ("create",)),
        Subresource("eviction", "Eviction", "policy", "v1", ("create",)),
        Subresource("ephemeralcontainers", "Pod", "", "v1"),
        Subresource("resize", "Pod", "", "v1"),
        proxy("PodProxyOptions"),
    ),
    columns=pod_cells.COLUMNS, cells=pod_cells.row, row_conditions=pod_cells.row_conditions,
    default=pod_defaults.default_pod, validate=pod_rules.validate,
    warnings=pod_warnings.of_pod,
    prepare=strategies.prepare_pod, prepare_status=strategies.keep_all_but_status_and_labels,
    fields=selectable.of_pod,
    has_generation=True,
    graceful_delete_seconds=strategies.grace_of_pod, deletes_to_status=False,
)  # fmt: skip

SERVICE = Kind(
    "", "v1", "Service", "services", "service",
    short_names=("svc",), categories=ALL,
    subresources=(status("Service"), proxy("ServiceProxyOptions")),
    columns=network_cells.SERVICE_COLUMNS, cells=network_cells.service,
    default=network_defaults.default_service, validate=service_rules.validate_service,
    warnings=other_warnings.of_service,
    prepare=strategies.prepare_service, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_service,
    deletes_to_status=False,
    creates_on_update=True,
)  # fmt: skip

ENDPOINTS = Kind(
    "", "v1", "Endpoints", "endpoints", "endpoints",
    short_names=("ep",),
    columns=network_cells.ENDPOINTS_COLUMNS, cells=network_cells.endpoints,
    default=network_defaults.default_endpoints, validate=network_rules.validate_endpoints,
    deprecation=Deprecation(33, replacement="discovery.k8s.io/v1 EndpointSlice"),
    creates_on_update=True,
)  # fmt: skip

CONFIG_MAP = Kind(
    "", "v1", "ConfigMap", "configmaps", "configmap",
    short_names=("cm",),
    columns=config_cells.CONFIG_MAP_COLUMNS, cells=config_cells.config_map,
    validate=config_rules.validate_config_map,
)  # fmt: skip

SECRET = Kind(
    "", "v1", "Secret", "secrets", "secret",
    columns=config_cells.SECRET_COLUMNS, cells=config_cells.secret,
    default=cluster_defaults.default_secret, validate=config_rules.validate_secret,
    fields=selectable.of_secret,
)  # fmt: skip

SERVICE_ACCOUNT = Kind(
    "", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount",
    short_names=("sa",),
    subresources=(Subresource("token", "TokenRequest", "authentication.k8s.io", "v1", ("create",)),),
    columns=config_cells.SERVICE_ACCOUNT_COLUMNS, cells=config_cells.service_account,
    validate=config_rules.validate_service_account,
    warnings=other_warnings.of_service_account,
    deletes_to_status=False,
)  # fmt: skip

EVENT = Kind(
    "", "v1", "Event", "events", "event",
    short_names=("ev",),
    columns=event_cells.COLUMNS, cells=event_cells.event,
    default=event_defaults.default_event, validate=event_rules.validate_event,
    fields=selectable.of_event,
    ttl_seconds=3600,  # upstream's --event-ttl
    creates_on_update=True,
)  # fmt: skip

REPLICATION_CONTROLLER = Kind(
    "", "v1", "ReplicationController", "replicationcontrollers", "replicationcontroller",
    short_names=("rc",), categories=ALL,
    subresources=(status("ReplicationController"), scale()),
    columns=workload_cells.REPLICATION_CONTROLLER_COLUMNS, cells=workload_cells.replication_controller,
    default=set_defaults.default_replication_controller, validate=set_rules.validate_replication_controller,
    warnings=workload_warnings.of_template_at("spec", "template"),
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_replication_controller,
    has_generation=True, orphans_by_default=True,
)  # fmt: skip

RESOURCE_QUOTA = Kind(
    "", "v1", "ResourceQuota", "resourcequotas", "resourcequota",
    short_names=("quota",),
    subresources=(status("ResourceQuota"),),
    columns=quota_cells.RESOURCE_QUOTA_COLUMNS, cells=quota_cells.resource_quota,
    default=limit_defaults.default_resource_quota, validate=quota_rules.validate_resource_quota,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    deletes_to_status=False,
)  # fmt: skip

LIMIT_RANGE = Kind(
    "", "v1", "LimitRange", "limitranges", "limitrange",
    short_names=("limits",),
    columns=quota_cells.LIMIT_RANGE_COLUMNS, cells=quota_cells.limit_range,
    default=limit_defaults.default_limit_range, validate=quota_rules.validate_limit_range,
    creates_on_update=True,
)  # fmt: skip

POD_TEMPLATE = Kind(
    "", "v1", "PodTemplate", "podtemplates", "podtemplate",
    columns=workload_cells.POD_TEMPLATE_COLUMNS, cells=workload_cells.pod_template,
    default=workload_defaults.default_pod_template, validate=workload_rules.validate_pod_template,
    warnings=workload_warnings.of_template_at("template", named=False),
    spec_fields=("template",), has_generation=True, deletes_to_status=False,
    creates_on_update=True,
)  # fmt: skip

# Not in the store: what the API server itself finds.
COMPONENT_STATUS = Kind(
    "", "v1", "ComponentStatus", "componentstatuses", "componentstatus", namespaced=False,
    short_names=("cs",), verbs=("get", "list"),
    columns=cluster_cells.COMPONENT_STATUS_COLUMNS, cells=cluster_cells.component_status,
    deprecation=Deprecation(19),
)  # fmt: skip

# The older way to `pods/binding`.
BINDING = Kind("", "v1", "Binding", "bindings", "binding", verbs=("create",))

PERSISTENT_VOLUME = Kind(
    "", "v1", "PersistentVolume", "persistentvolumes", "persistentvolume", namespaced=False,
    short_names=("pv",),
    subresources=(status("PersistentVolume"),),
    columns=storage_cells.VOLUME_COLUMNS, cells=storage_cells.volume,
    default=storage_defaults.default_volume, validate=volume_rules.validate,
    prepare=strategies.prepare_volume, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_volume,
    deletes_to_status=False,
)  # fmt: skip

PERSISTENT_VOLUME_CLAIM = Kind(
    "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim",
    short_names=("pvc",),
    subresources=(status("PersistentVolumeClaim"),),
    columns=storage_cells.CLAIM_COLUMNS, cells=storage_cells.claim,
    default=storage_defaults.default_claim, validate=claim_rules.validate,
    prepare=strategies.prepare_claim, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_volume,
    deletes_to_status=False,
)  # fmt: skip
