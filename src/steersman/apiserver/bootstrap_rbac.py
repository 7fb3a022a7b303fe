"""Roles and bindings every cluster starts with, under upstream's names.

A data file. Where our parts share an identity that upstream splits up (all controllers run as
system:kube-controller-manager), that identity's role is the union. Source: "Default roles and role bindings".
"""

from steersman.api import aggregation, kinds
from steersman.api.kind import Kind
from steersman.meta.objects import Object

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_ALL = ["*"]
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_RBAC = "rbac.authorization.k8s.io"
_CERTIFICATES = "certificates.k8s.io"


def _rule(verbs: list[str], groups: list[str], resources: list[str], names: list[str] | None = None) -> Object:
    rule: Object = {"verbs": verbs, "apiGroups": groups, "resources": resources}
    return rule | {"resourceNames": names} if names else rule


def _paths(*paths: str) -> Object:
    return {"verbs": ["get"], "nonResourceURLs": list(paths)}


_VERSION_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_MONITORED_PATHS = (
    *("/flagz", "/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz", "/readyz/*"),
    "/statusz",
)
_DISCOVERY_PATHS = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*")

_NAMESPACED_CORE = [
    "configmaps",
    "endpoints",
    "events",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "serviceaccounts",
    "services",
]
_READ_ONLY_CORE = [
    "bindings",
    "limitranges",
    "namespaces",
    "namespaces/status",
    "persistentvolumeclaims/status",
    "pods/log",
    "pods/status",
    "replicationcontrollers/status",
    "resourcequotas",
    "resourcequotas/status",
    "services/status",
]
_APPS = [
    "controllerrevisions",
    "daemonsets",
    "deployments",
    "deployments/scale",
    "replicasets",
    "replicasets/scale",
    "statefulsets",
    "statefulsets/scale",
]
_APPS_STATUS = ["daemonsets/status", "deployments/status", "replicasets/status", "statefulsets/status"]
_BATCH, _BATCH_STATUS = ["cronjobs", "jobs"], ["cronjobs/status", "jobs/status"]
_NETWORK = ["ingresses", "networkpolicies"]

_VIEW = [
    _rule(_READ, [""], [*_NAMESPACED_CORE, *_READ_ONLY_CORE]),
    _rule(_READ, ["discovery.k8s.io"], ["endpointslices"]),
    _rule(_READ, ["apps"], [*_APPS, *_APPS_STATUS]),
    _rule(_READ, ["autoscaling"], ["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    _rule(_READ, ["batch"], [*_BATCH, *_BATCH_STATUS]),
    _rule(_READ, ["policy"], ["poddisruptionbudgets", "poddisruptionbudgets/status"]),
    _rule(_READ, ["networking.k8s.io"], [*_NETWORK, "ingresses/status"]),
    _rule(_READ, ["resource.k8s.io"], ["resourceclaims", "resourceclaims/status", "resourceclaimtemplates"]),
]
_EDIT = [
    _rule(_READ, [""], ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"]),
    _rule(["impersonate"], [""], ["serviceaccounts"]),
    _rule(_WRITE, [""], ["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"]),
    _rule(["create"], [""], ["pods/eviction", "serviceaccounts/token"]),
    _rule(_WRITE, [""], [*(one for one in _NAMESPACED_CORE if one != "pods"), "secrets", "services/proxy"]),
    _rule(_WRITE, ["apps"], [one for one in _APPS if one != "controllerrevisions"] + ["deployments/rollback"]),
    _rule(_WRITE, ["autoscaling"], ["horizontalpodautoscalers"]),
    _rule(_WRITE, ["batch"], _BATCH),
    _rule(_WRITE, ["policy"], ["poddisruptionbudgets"]),
    _rule(_WRITE, ["networking.k8s.io"], _NETWORK),
    _rule(_WRITE, ["resource.k8s.io"], ["resourceclaims", "resourceclaimtemplates"]),
    _rule([*_READ, *_WRITE], ["coordination.k8s.io"], ["leases"]),
]
_ADMIN = [
    _rule(["create"], ["authorization.k8s.io"], ["localsubjectaccessreviews"]),
    _rule([*_READ, *_WRITE], [_RBAC], ["rolebindings", "roles"]),
]

_EVENTS = _rule(["create", "patch", "update"], ["", "events.k8s.io"], ["events"])
_REVIEWS = _rule(
    ["create"], ["authentication.k8s.io", "authorization.k8s.io"], ["subjectaccessreviews", "tokenreviews"]
)
_LEASES = _rule([*_READ, "create", "delete", "patch", "update"], ["coordination.k8s.io"], ["leases"])

# What every node may do, whatever runs on it; of what depends on its pods, the Node authorizer decides.
NODE_RULES = [
    _rule(["create"], ["authentication.k8s.io"], ["tokenreviews"]),
    _rule(["create"], ["authorization.k8s.io"], ["localsubjectaccessreviews", "subjectaccessreviews"]),
    _rule(_READ, [""], ["services"]),
    _rule([*_READ, "create", "patch", "update"], [""], ["nodes"]),
    _rule(["patch", "update"], [""], ["nodes/status"]),
    _rule(["create", "patch", "update"], ["", "events.k8s.io"], ["events"]),
    _rule([*_READ, "create", "delete"], [""], ["pods"]),
    _rule(["patch", "update"], [""], ["pods/status"]),
    _rule(["create"], [""], ["pods/eviction"]),
    _rule(_READ, [""], ["configmaps", "secrets"]),
    _rule(["get"], [""], ["persistentvolumeclaims", "persistentvolumes"]),
    _rule(["get"], [""], ["endpoints"]),
    _rule([*_READ, "create"], [_CERTIFICATES], ["certificatesigningrequests"]),
    _rule(["create", "delete", "get", "patch", "update"], ["coordination.k8s.io"], ["leases"]),
    _rule(["get"], ["storage.k8s.io"], ["volumeattachments"]),
    _rule(["create"], [""], ["serviceaccounts/token"]),
    _rule(["get", "patch", "update"], [""], ["persistentvolumeclaims/status"]),
    _rule(_READ, ["storage.k8s.io"], ["csidrivers"]),
    _rule(["create", "delete", "get", "patch", "update"], ["storage.k8s.io"], ["csinodes"]),
    _rule(_READ, ["node.k8s.io"], ["runtimeclasses"]),
    _rule(["get"], ["resource.k8s.io"], ["resourceclaims"]),
    _rule(["deletecollection"], ["resource.k8s.io"], ["resourceslices"]),
    _rule(_READ, [_CERTIFICATES], ["clustertrustbundles"]),
    _rule(_READ, [""], ["serviceaccounts"]),
    _rule([*_READ, "create"], [_CERTIFICATES], ["podcertificaterequests"]),
]
_PROXIER = [
    _rule(["list", "watch"], [""], ["services", "endpoints"]),
    _rule(["list", "watch"], ["networking.k8s.io"], ["networkpolicies", "servicecidrs"]),
    _rule(["list", "watch"], [""], ["namespaces", "pods"]),
    _rule(["list", "watch"], [""], ["configmaps"], ["kube-dns"]),
    _rule(_READ, [""], ["nodes"]),
    _rule(["list", "watch"], ["discovery.k8s.io"], ["endpointslices"]),
    _EVENTS,
]
_SCHEDULER = [
    _EVENTS,
    _LEASES,
    _rule(
        _READ,
        [""],
        ["nodes", "namespaces", "services", "replicationcontrollers", "persistentvolumeclaims", "persistentvolumes"],
    ),
    _rule([*_READ, "delete"], [""], ["pods"]),
    _rule(["create"], [""], ["bindings", "pods/binding"]),
    _rule(["patch", "update"], [""], ["pods/status"]),
    _rule(_READ, ["apps"], ["replicasets", "statefulsets"]),
    _rule(_READ, ["policy"], ["poddisruptionbudgets"]),
    _rule(
        _READ,
        ["storage.k8s.io"],
        ["csinodes", "storageclasses", "csidrivers", "csistoragecapacities", "volumeattachments"],
    ),
    _rule(_READ, ["scheduling.k8s.io"], ["priorityclasses", "podgroups"]),
    _rule(["patch", "update"], ["scheduling.k8s.io"], ["podgroups/status"]),
    _rule([*_READ, "patch", "update"], ["resource.k8s.io"], ["resourceclaims", "resourceclaims/status"]),
    _rule(["create", "delete"], ["resource.k8s.io"], ["resourceclaims"]),
    _rule(_READ, ["resource.k8s.io"], ["deviceclasses", "resourceslices", "devicetaintrules"]),
    _REVIEWS,
]

_CLUSTER_ROLES: dict[str, list[Object]] = {
    "cluster-admin": [_rule(_ALL, _ALL, _ALL), {"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "system:aggregate-to-admin": _ADMIN,
    "system:aggregate-to-edit": _EDIT,
    "system:aggregate-to-view": _VIEW,
    "system:aggregated-metrics-reader": [_rule(_READ, ["metrics.k8s.io"], ["pods", "nodes"])],
    "system:basic-user": [
        _rule(["create"], ["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
        _rule(["create"], ["authentication.k8s.io"], ["selfsubjectreviews"]),
    ],
    "system:discovery": [_paths(*_DISCOVERY_PATHS, *_VERSION_PATHS)],
    "system:public-info-viewer": [_paths(*_VERSION_PATHS)],
    "system:monitoring": [_paths(*_MONITORED_PATHS)],
    "system:service-account-issuer-discovery": [_paths("/.well-known/openid-configuration", "/openid/v1/jwks")],
    "system:auth-delegator": [_REVIEWS],
    "system:node": NODE_RULES,
    "system:node-proxier": _PROXIER,
    "system:node-bootstrapper": [_rule([*_READ, "create"], ["certificates.k8s.io"], ["certificatesigningrequests"])],
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": [
        _rule(["create"], [_CERTIFICATES], ["certificatesigningrequests/nodeclient"])
    ],
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": [
        _rule(["create"], [_CERTIFICATES], ["certificatesigningrequests/selfnodeclient"])
    ],
    **{
        f"system:certificates.k8s.io:{signer}-approver": [
            _rule(["approve"], [_CERTIFICATES], ["signers"], [f"kubernetes.io/{signer}"])
        ]
        for signer in ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown")
    },
    "system:kube-scheduler": _SCHEDULER,
    "system:volume-scheduler": [
        _rule([*_READ, "patch", "update"], [""], ["persistentvolumes", "persistentvolumeclaims"]),
        _rule(_READ, ["storage.k8s.io"], ["storageclasses"]),
    ],
    "system:persistent-volume-provisioner": [
        _rule([*_READ, "create", "delete"], [""], ["persistentvolumes"]),
        _rule([*_READ, "update"], [""], ["persistentvolumeclaims"]),
        _rule(_READ, ["storage.k8s.io"], ["storageclasses"]),
        _rule(["watch", "create", "update", "patch"], [""], ["events"]),
    ],
    "system:kube-controller-manager": [_rule(_ALL, _ALL, _ALL), _paths("*")],
    "system:kube-dns": [_rule(["list", "watch"], [""], ["endpoints", "services"])],
    "system:kubelet-api-admin": [
        _rule(_READ, [""], ["nodes"]),
        _rule(["proxy"], [""], ["nodes"]),
        _rule(_ALL, [""], ["nodes/log", "nodes/metrics", "nodes/proxy", "nodes/stats"]),
    ],
}

_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
# Whoever has one of these labels adds to the role; each of them is itself part of the next.
_AGGREGATED = {"view": "edit", "edit": "admin", "admin": ""}

_GROUP, _USER = "Group", "User"
_CLUSTER_BINDINGS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "cluster-admin": ("cluster-admin", [(_GROUP, "system:masters")]),
    "system:basic-user": ("system:basic-user", [(_GROUP, "system:authenticated")]),
    "system:discovery": ("system:discovery", [(_GROUP, "system:authenticated")]),
    "system:public-info-viewer": (
        "system:public-info-viewer",
        [(_GROUP, "system:authenticated"), (_GROUP, "system:unauthenticated")],
    ),
    "system:monitoring": ("system:monitoring", [(_GROUP, "system:monitoring")]),
    "system:service-account-issuer-discovery": (
        "system:service-account-issuer-discovery",
        [(_GROUP, "system:serviceaccounts")],
    ),
    "system:node": ("system:node", []),  # as upstream: the Node authorizer says what a node may do, not this
    "system:node-proxier": ("system:node-proxier", [(_USER, "system:kube-proxy")]),
    "system:kube-scheduler": ("system:kube-scheduler", [(_USER, "system:kube-scheduler")]),
    "system:volume-scheduler": ("system:volume-scheduler", [(_USER, "system:kube-scheduler")]),
    "system:kube-controller-manager": ("system:kube-controller-manager", [(_USER, "system:kube-controller-manager")]),
    "system:kube-dns": ("system:kube-dns", [(_USER, "system:kube-dns")]),
    "system:node-bootstrapper": ("system:node-bootstrapper", [(_GROUP, "system:bootstrappers")]),
}

# Subjects that these bindings had once and must not have: before there was a Node authorizer, all nodes might do what one may.
_ALL_NODES: Object = {"kind": _GROUP, "apiGroup": _RBAC, "name": "system:nodes"}
WITHDRAWN = dict.fromkeys(("system:node", "system:node-proxier", "system:kube-dns"), _ALL_NODES)

# Of kube-system: what extension servers and our own parts read to know whom to believe.
_READER = "extension-apiserver-authentication-reader"
_READER_RULE = _rule(_READ, [""], ["configmaps"], ["extension-apiserver-authentication"])


def objects() -> list[tuple[Kind, Object]]:
    found: list[tuple[Kind, Object]] = [*_authentication_reader(), *_of_controllers()]
    for name, rules in _CLUSTER_ROLES.items():
        role = {**_start(kinds.CLUSTER_ROLE, name), "rules": rules}
        for part_of in _AGGREGATED:
            if name in (f"system:aggregate-to-{part_of}", "system:aggregated-metrics-reader"):
                role["metadata"]["labels"][_AGGREGATE + part_of] = "true"
        found.append((kinds.CLUSTER_ROLE, role))
    for name, part_of in _AGGREGATED.items():
        role = _start(kinds.CLUSTER_ROLE, name)
        if part_of:
            role["metadata"]["labels"][_AGGREGATE + part_of] = "true"
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {_AGGREGATE + name: "true"}}]}
        role["rules"] = aggregation.rules(role, [one for _, one in found])
        found.append((kinds.CLUSTER_ROLE, role))
    for name, (role_name, subjects) in _CLUSTER_BINDINGS.items():
        listed = [{"kind": kind, "apiGroup": _RBAC, "name": subject} for kind, subject in subjects]
        reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role_name}
        binding = {**_start(kinds.CLUSTER_ROLE_BINDING, name), "roleRef": reference}
        found.append((kinds.CLUSTER_ROLE_BINDING, binding | {"subjects": listed} if listed else binding))
    return found


def _authentication_reader() -> list[tuple[Kind, Object]]:
    users = [_user("system:kube-controller-manager"), _user("system:kube-scheduler")]
    return _in_namespace("kube-system", _READER, [_READER_RULE], f"system::{_READER}", users)


# What upstream's controller managers need of a namespace when each controller has an account of its own.
_OF_CONTROLLERS = (
    (
        "kube-public", "bootstrap-signer",
        [
            _rule(_READ, [""], ["configmaps"]),
            _rule(["update"], [""], ["configmaps"], ["cluster-info"]),
            _rule(["create", "patch", "update"], ["", "events.k8s.io"], ["events"]),
        ],
    ),
    ("kube-system", "bootstrap-signer", [_rule(_READ, [""], ["secrets"])]),
    (
        "kube-system", "token-cleaner",
        [
            _rule([*_READ, "delete"], [""], ["secrets"]),
            _rule(["create", "patch", "update"], ["", "events.k8s.io"], ["events"]),
        ],
    ),
)  # fmt: skip


def _of_controllers() -> list[tuple[Kind, Object]]:
    found = []
    for namespace, controller, rules in _OF_CONTROLLERS:
        name = f"system:controller:{controller}"
        account = {"kind": "ServiceAccount", "name": controller, "namespace": "kube-system"}
        found += _in_namespace(namespace, name, rules, name, [account])
    return found


def _user(name: str) -> Object:
    return {"kind": _USER, "apiGroup": _RBAC, "name": name}


def _in_namespace(
    namespace: str, name: str, rules: list[Object], binding_name: str, subjects: list[Object]
) -> list[tuple[Kind, Object]]:
    """A Role and its RoleBinding."""
    role = {**_start(kinds.ROLE, name), "rules": rules}
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": name}
    binding = {**_start(kinds.ROLE_BINDING, binding_name), "roleRef": reference, "subjects": subjects}
    for obj in (role, binding):
        obj["metadata"]["namespace"] = namespace
    return [(kinds.ROLE, role), (kinds.ROLE_BINDING, binding)]


def _start(kind: Kind, name: str) -> Object:
    return {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": {
            "name": name,
            "labels": dict(_LABELS),
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        },
    }
