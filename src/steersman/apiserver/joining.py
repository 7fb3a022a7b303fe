"""What machines that want to join are told and may do: the public ConfigMap `cluster-info`, and rights of bootstrap tokens. Pure.

Names and rights are those that kubeadm gives a cluster: `kubeadm join` and what was written for it find them. Our own beside them:
the ConfigMap `steersman-config`, for `steersman join`, and the nodes' right to the certificates that csr_node_approving knows.
"""

import base64
import dataclasses
from collections.abc import Mapping

import yaml

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.meta.objects import Object

JOINING = "system:bootstrappers:kubeadm:default-node-token"  # what `kubeadm token create` puts into a token
_RBAC = "rbac.authorization.k8s.io"
_REQUESTS = "system:certificates.k8s.io:certificatesigningrequests"
_PUBLIC = "kubeadm:bootstrap-signer-clusterinfo"
_NODES = "kubeadm:get-nodes"
_ALL_NODES = "system:nodes"
CONFIGURATION = "steersman-config"  # of kube-system
_CONFIGURATION_READER = "steersman:read-config"
_CERTIFICATES = "steersman:node-certificates"


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterInfo:
    """Where the API server is, and the certificate (PEM) it is known by. `configuration` is what a node must know beyond that,
    where machines may join."""

    server: str
    authority: bytes
    configuration: Mapping[str, str] = dataclasses.field(default_factory=dict)


def objects(info: ClusterInfo) -> list[tuple[Kind, Object]]:
    read_info = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["cluster-info"], "verbs": ["get"]}
    read_nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}
    anonymous = {"kind": "User", "apiGroup": _RBAC, "name": "system:anonymous"}
    return [
        (kinds.CONFIG_MAP, {**_start(kinds.CONFIG_MAP, "cluster-info", "kube-public"), "data": _data(info)}),
        (kinds.ROLE, {**_start(kinds.ROLE, _PUBLIC, "kube-public"), "rules": [read_info]}),
        (
            kinds.ROLE_BINDING,
            {
                **_start(kinds.ROLE_BINDING, _PUBLIC, "kube-public"),
                "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": _PUBLIC},
                "subjects": [anonymous],
            },
        ),
        (kinds.CLUSTER_ROLE, {**_start(kinds.CLUSTER_ROLE, _NODES), "rules": [read_nodes]}),
        _bound(_NODES, _NODES, JOINING),
        _bound("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", JOINING),
        _bound("kubeadm:node-autoapprove-bootstrap", f"{_REQUESTS}:nodeclient", JOINING),
        _bound("kubeadm:node-autoapprove-certificate-rotation", f"{_REQUESTS}:selfnodeclient", _ALL_NODES),
        *_node_certificates(),
        *(_configuration(info.configuration) if info.configuration else ()),
    ]


def _node_certificates() -> list[tuple[Kind, Object]]:
    wanted = ["certificatesigningrequests/selfnodeserver", "certificatesigningrequests/nodeproxy"]
    rule = {"apiGroups": ["certificates.k8s.io"], "resources": wanted, "verbs": ["create"]}
    role = {**_start(kinds.CLUSTER_ROLE, _CERTIFICATES), "rules": [rule]}
    return [(kinds.CLUSTER_ROLE, role), _bound(_CERTIFICATES, _CERTIFICATES, _ALL_NODES)]


def _configuration(data: Mapping[str, str]) -> list[tuple[Kind, Object]]:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [CONFIGURATION], "verbs": ["get"]}
    groups = [{"kind": "Group", "apiGroup": _RBAC, "name": name} for name in (JOINING, _ALL_NODES)]
    binding = {
        **_start(kinds.ROLE_BINDING, _CONFIGURATION_READER, "kube-system"),
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": _CONFIGURATION_READER},
        "subjects": groups,
    }
    return [
        (kinds.CONFIG_MAP, {**_start(kinds.CONFIG_MAP, CONFIGURATION, "kube-system"), "data": dict(data)}),
        (kinds.ROLE, {**_start(kinds.ROLE, _CONFIGURATION_READER, "kube-system"), "rules": [rule]}),
        (kinds.ROLE_BINDING, binding),
    ]


def _data(info: ClusterInfo) -> dict[str, str]:
    """A kubeconfig without a user: whoever reads it has a token."""
    cluster = {"certificate-authority-data": base64.b64encode(info.authority).decode(), "server": info.server}
    config: Object = {
        "apiVersion": "v1",
        "clusters": [{"cluster": cluster, "name": ""}],
        "contexts": None,
        "current-context": "",
        "kind": "Config",
        "preferences": {},
        "users": None,
    }
    return {"kubeconfig": yaml.safe_dump(config, width=1 << 20)}


def _bound(name: str, role: str, group: str) -> tuple[Kind, Object]:
    binding = {
        **_start(kinds.CLUSTER_ROLE_BINDING, name),
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "Group", "apiGroup": _RBAC, "name": group}],
    }
    return kinds.CLUSTER_ROLE_BINDING, binding


def _start(kind: Kind, name: str, namespace: str = "") -> Object:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
