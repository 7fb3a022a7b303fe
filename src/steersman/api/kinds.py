"""The table of kinds: one row per kind and version.

A new kind is a row here and, where needed, functions for its columns, defaults and validation: `docs/checklists/new-kind.md`.
"""

from steersman.api import selectable, strategies
from steersman.api.custom import definitions
from steersman.api.defaults import cluster as cluster_defaults
from steersman.api.defaults import jobs as job_defaults
from steersman.api.defaults import network as network_defaults
from steersman.api.defaults import pods as pod_defaults
from steersman.api.defaults import sets as set_defaults
from steersman.api.defaults import workloads as workload_defaults
from steersman.api.kind import Kind, Kinds, Subresource
from steersman.api.printing import cluster as cluster_cells
from steersman.api.printing import config as config_cells
from steersman.api.printing import jobs as job_cells
from steersman.api.printing import network as network_cells
from steersman.api.printing import pods as pod_cells
from steersman.api.printing import workloads as workload_cells
from steersman.api.validation import cluster as cluster_rules
from steersman.api.validation import config as config_rules
from steersman.api.validation import cron_jobs as cron_job_rules
from steersman.api.validation import jobs as job_rules
from steersman.api.validation import network as network_rules
from steersman.api.validation import pods as pod_rules
from steersman.api.validation import rbac as rbac_rules
from steersman.api.validation import sets as set_rules
from steersman.api.validation import workloads as workload_rules

APPS = "apps"
BATCH = "batch"
COORDINATION = "coordination.k8s.io"
DISCOVERY = "discovery.k8s.io"
EXTENSIONS = "apiextensions.k8s.io"
RBAC = "rbac.authorization.k8s.io"
SCHEDULING = "scheduling.k8s.io"

_ALL = ("all",)  # the category behind `kubectl get all`
_CONNECT = ("create", "get")
_EVERY_METHOD = ("create", "delete", "get", "patch", "update")


def _status(kind: str, group: str = "", version: str = "v1") -> Subresource:
    return Subresource("status", kind, group, version)


def _scale() -> Subresource:
    return Subresource("scale", "Scale", "autoscaling", "v1")


def _proxy(kind: str, version: str = "v1") -> Subresource:
    return Subresource("proxy", kind, "", version, _EVERY_METHOD)


NAMESPACE = Kind(
    "", "v1", "Namespace", "namespaces", "namespace", namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=(_status("Namespace"), Subresource("finalize", "Namespace", "", "v1", ("update",))),
    columns=cluster_cells.NAMESPACE_COLUMNS, cells=cluster_cells.namespace,
    default=cluster_defaults.default_namespace, validate=cluster_rules.validate_namespace,
    prepare=strategies.prepare_namespace, prepare_status=strategies.keep_all_but_status_and_labels,
    fields=selectable.of_namespace,
)  # fmt: skip

NODE = Kind(
    "", "v1", "Node", "nodes", "node", namespaced=False,
    short_names=("no",),
    subresources=(_status("Node"), _proxy("NodeProxyOptions")),
    columns=cluster_cells.NODE_COLUMNS, cells=cluster_cells.node,
    default=cluster_defaults.default_node, validate=cluster_rules.validate_node,
    prepare=strategies.prepare_node, prepare_status=strategies.keep_all_but_status_and_labels,
    fields=selectable.of_node,
)  # fmt: skip

POD = Kind(
    "", "v1", "Pod", "pods", "pod",
    short_names=("po",), categories=_ALL,
    subresources=(
        _status("Pod"),
        Subresource("log", "Pod", "", "v1", ("get",)),
        Subresource("exec", "PodExecOptions", "", "v1", _CONNECT),
        Subresource("attach", "PodAttachOptions", "", "v1", _CONNECT),
        Subresource("portforward", "PodPortForwardOptions", "", "v1", _CONNECT),
        Subresource("binding", "Binding", "", "v1", ("create",)),
        Subresource("eviction", "Eviction", "policy", "v1", ("create",)),
        Subresource("ephemeralcontainers", "Pod", "", "v1"),
        Subresource("resize", "Pod", "", "v1"),
        _proxy("PodProxyOptions"),
    ),
    columns=pod_cells.COLUMNS, cells=pod_cells.row, row_conditions=pod_cells.row_conditions,
    default=pod_defaults.default_pod, validate=pod_rules.validate,
    prepare=strategies.prepare_pod, prepare_status=strategies.keep_all_but_status_and_labels,
    fields=selectable.of_pod,
    has_generation=True,
    graceful_delete_seconds=strategies.grace_of_pod, deletes_to_status=False,
)  # fmt: skip

SERVICE = Kind(
    "", "v1", "Service", "services", "service",
    short_names=("svc",), categories=_ALL,
    subresources=(_status("Service"), _proxy("ServiceProxyOptions")),
    columns=network_cells.SERVICE_COLUMNS, cells=network_cells.service,
    default=network_defaults.default_service, validate=network_rules.validate_service,
    prepare=strategies.prepare_service, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_service,
    deletes_to_status=False,
)  # fmt: skip

ENDPOINTS = Kind(
    "", "v1", "Endpoints", "endpoints", "endpoints",
    short_names=("ep",),
    columns=network_cells.ENDPOINTS_COLUMNS, cells=network_cells.endpoints,
    default=network_defaults.default_endpoints, validate=network_rules.validate_endpoints,
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
    deletes_to_status=False,
)  # fmt: skip

EVENT = Kind(
    "", "v1", "Event", "events", "event",
    short_names=("ev",),
    columns=cluster_cells.EVENT_COLUMNS, cells=cluster_cells.event,
    validate=cluster_rules.validate_event,
    fields=selectable.of_event,
)  # fmt: skip

ENDPOINT_SLICE = Kind(
    DISCOVERY, "v1", "EndpointSlice", "endpointslices", "endpointslice",
    columns=network_cells.ENDPOINT_SLICE_COLUMNS, cells=network_cells.endpoint_slice,
    default=network_defaults.default_endpoint_slice, validate=network_rules.validate_endpoint_slice,
    spec_fields=("addressType", "endpoints", "ports"), has_generation=True,
)  # fmt: skip

LEASE = Kind(
    COORDINATION, "v1", "Lease", "leases", "lease",
    columns=cluster_cells.LEASE_COLUMNS, cells=cluster_cells.lease,
    default=cluster_defaults.default_lease, validate=cluster_rules.validate_lease,
)  # fmt: skip

REPLICA_SET = Kind(
    APPS, "v1", "ReplicaSet", "replicasets", "replicaset",
    short_names=("rs",), categories=_ALL,
    subresources=(_status("ReplicaSet", APPS), _scale()),
    columns=workload_cells.REPLICA_SET_COLUMNS, cells=workload_cells.replica_set,
    default=workload_defaults.default_replica_set, validate=workload_rules.validate_replica_set,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_replica_set,
    has_generation=True,
)  # fmt: skip

DEPLOYMENT = Kind(
    APPS, "v1", "Deployment", "deployments", "deployment",
    short_names=("deploy",), categories=_ALL,
    subresources=(_status("Deployment", APPS), _scale()),
    columns=workload_cells.DEPLOYMENT_COLUMNS, cells=workload_cells.deployment,
    default=workload_defaults.default_deployment, validate=workload_rules.validate_deployment,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

STATEFUL_SET = Kind(
    APPS, "v1", "StatefulSet", "statefulsets", "statefulset",
    short_names=("sts",), categories=_ALL,
    subresources=(_status("StatefulSet", APPS), _scale()),
    columns=workload_cells.STATEFUL_SET_COLUMNS, cells=workload_cells.stateful_set,
    default=set_defaults.default_stateful_set, validate=set_rules.validate_stateful_set,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

DAEMON_SET = Kind(
    APPS, "v1", "DaemonSet", "daemonsets", "daemonset",
    short_names=("ds",), categories=_ALL,
    subresources=(_status("DaemonSet", APPS),),
    columns=workload_cells.DAEMON_SET_COLUMNS, cells=workload_cells.daemon_set,
    default=set_defaults.default_daemon_set, validate=set_rules.validate_daemon_set,
    prepare=strategies.prepare_daemon_set, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

REPLICATION_CONTROLLER = Kind(
    "", "v1", "ReplicationController", "replicationcontrollers", "replicationcontroller",
    short_names=("rc",), categories=_ALL,
    subresources=(_status("ReplicationController"), _scale()),
    columns=workload_cells.REPLICATION_CONTROLLER_COLUMNS, cells=workload_cells.replication_controller,
    default=set_defaults.default_replication_controller, validate=set_rules.validate_replication_controller,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_replication_controller,
    has_generation=True, orphans_by_default=True,
)  # fmt: skip

JOB = Kind(
    BATCH, "v1", "Job", "jobs", "job",
    categories=_ALL,
    subresources=(_status("Job", BATCH),),
    columns=job_cells.JOB_COLUMNS, cells=job_cells.job,
    default=job_defaults.default_job, validate=job_rules.validate_job,
    prepare=strategies.prepare_job, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_job,
    has_generation=True, orphans_by_default=True,
    delete_warning="child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
    "them or set propagationPolicy=Orphan to suppress this warning",
)  # fmt: skip

CRON_JOB = Kind(
    BATCH, "v1", "CronJob", "cronjobs", "cronjob",
    short_names=("cj",), categories=_ALL,
    subresources=(_status("CronJob", BATCH),),
    columns=job_cells.CRON_JOB_COLUMNS, cells=job_cells.cron_job,
    default=job_defaults.default_cron_job, validate=cron_job_rules.validate_cron_job,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

CONTROLLER_REVISION = Kind(
    APPS, "v1", "ControllerRevision", "controllerrevisions", "controllerrevision",
    columns=workload_cells.CONTROLLER_REVISION_COLUMNS, cells=workload_cells.controller_revision,
    validate=workload_rules.validate_controller_revision,
)  # fmt: skip

ROLE = Kind(
    RBAC, "v1", "Role", "roles", "role",
    columns=config_cells.ROLE_COLUMNS, cells=config_cells.role,
    default=cluster_defaults.default_role, validate=rbac_rules.validate_role,
)  # fmt: skip

ROLE_BINDING = Kind(
    RBAC, "v1", "RoleBinding", "rolebindings", "rolebinding",
    columns=config_cells.ROLE_BINDING_COLUMNS, cells=config_cells.binding,
    default=cluster_defaults.default_binding, validate=rbac_rules.validate_role_binding,
)  # fmt: skip

CLUSTER_ROLE = Kind(
    RBAC, "v1", "ClusterRole", "clusterroles", "clusterrole", namespaced=False,
    columns=config_cells.ROLE_COLUMNS, cells=config_cells.role,
    default=cluster_defaults.default_role, validate=rbac_rules.validate_cluster_role,
)  # fmt: skip

CLUSTER_ROLE_BINDING = Kind(
    RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", namespaced=False,
    columns=config_cells.CLUSTER_ROLE_BINDING_COLUMNS, cells=config_cells.binding,
    default=cluster_defaults.default_binding, validate=rbac_rules.validate_cluster_role_binding,
)  # fmt: skip

PRIORITY_CLASS = Kind(
    SCHEDULING, "v1", "PriorityClass", "priorityclasses", "priorityclass", namespaced=False,
    short_names=("pc",),
    columns=cluster_cells.PRIORITY_CLASS_COLUMNS, cells=cluster_cells.priority_class,
    default=cluster_defaults.default_priority_class, validate=cluster_rules.validate_priority_class,
    spec_fields=("value", "globalDefault", "description", "preemptionPolicy"), has_generation=True,
)  # fmt: skip

CUSTOM_RESOURCE_DEFINITION = Kind(
    EXTENSIONS, "v1", "CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition", namespaced=False,
    short_names=("crd", "crds"), categories=("api-extensions",),
    subresources=(_status("CustomResourceDefinition", EXTENSIONS),),
    columns=config_cells.ROLE_COLUMNS, cells=config_cells.role,
    default=definitions.default, validate=definitions.validate,
    prepare=definitions.prepare, prepare_status=strategies.keep_all_but_status_and_labels,
    has_generation=True,
)  # fmt: skip

BUILTIN = Kinds(row for row in list(globals().values()) if isinstance(row, Kind))
