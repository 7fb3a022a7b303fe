"""What the process of all nodes on paper may do: see pods and nodes, tell events, and act as each of its nodes. Pure.

So each node on paper has what its own certificate would give it, and no more (Node authorizer, NodeRestriction), over connections
that all of them share. It can act as no node that is real.
"""

from collections.abc import Sequence

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import bootstrap, users
from steersman.meta.objects import Object

NAME = users.FAKE_NODES  # of the user, and of its role
_RBAC = "rbac.authorization.k8s.io"


def objects(nodes: Sequence[str]) -> list[tuple[Kind, Object]]:
    named = [f"{users.NODE_PREFIX}{node}" for node in nodes]
    rules: list[Object] = [
        {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["nodes", "pods"]},
        {"verbs": ["create", "patch", "update"], "apiGroups": ["", "events.k8s.io"], "resources": ["events"]},
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": named},
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["groups"], "resourceNames": [users.NODES]},
    ]
    meta: Object = {"name": NAME, "annotations": {bootstrap.AUTOUPDATE: "true"}}
    return [
        (kinds.CLUSTER_ROLE, _whole(kinds.CLUSTER_ROLE, meta, {"rules": rules})),
        (
            kinds.CLUSTER_ROLE_BINDING,
            _whole(
                kinds.CLUSTER_ROLE_BINDING,
                meta,
                {
                    "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": NAME},
                    "subjects": [{"kind": "User", "apiGroup": _RBAC, "name": NAME}],
                },
            ),
        ),
    ]


def _whole(kind: Kind, meta: Object, rest: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {**meta}, **rest}
