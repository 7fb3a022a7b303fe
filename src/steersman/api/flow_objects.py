"""The FlowSchemas and PriorityLevelConfigurations that every cluster has: mandatory ones, and those that are suggested.

A data file. Source: upstream's apiserver/pkg/apis/flowcontrol/bootstrap.
"""

from typing import Any

from steersman.meta.objects import Object

API_VERSION = "flowcontrol.apiserver.k8s.io/v1"
AUTO_UPDATE = "apf.kubernetes.io/autoupdate-spec"
EXEMPT, CATCH_ALL = "exempt", "catch-all"
MANDATORY = frozenset((EXEMPT, CATCH_ALL))

_EVERY = ["*"]
_WRITES = ["get", "create", "update"]


def _group(name: str) -> Object:
    return {"kind": "Group", "group": {"name": name}}


def _user(name: str) -> Object:
    return {"kind": "User", "user": {"name": name}}


def _account(name: str) -> Object:
    return {"kind": "ServiceAccount", "serviceAccount": {"name": name, "namespace": "kube-system"}}


def _resources(verbs: list[str], groups: list[str], resources: list[str], *, cluster_scope: bool = False) -> Object:
    rule: Object = {"verbs": verbs, "apiGroups": groups, "resources": resources}
    if cluster_scope:
        rule["clusterScope"] = True
    return rule | {"namespaces": _EVERY}


def _everything(*subjects: Object) -> Object:
    return {
        "subjects": list(subjects),
        "resourceRules": [_resources(_EVERY, _EVERY, _EVERY, cluster_scope=True)],
        "nonResourceRules": [{"verbs": _EVERY, "nonResourceURLs": _EVERY}],
    }


def _queue(shares: int, lendable: int, queues: int, hand: int) -> Object:
    queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": 50}
    return _limited(shares, lendable, {"type": "Queue", "queuing": queuing})


def _limited(shares: int, lendable: int, response: Object) -> Object:
    limited = {"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable}
    return {"type": "Limited", "limited": limited}


LEVELS: dict[str, Object] = {
    EXEMPT: {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
    CATCH_ALL: _limited(5, 0, {"type": "Reject"}),
    "system": _queue(30, 33, 64, 6),
    "node-high": _queue(40, 25, 64, 6),
    "leader-election": _queue(10, 0, 16, 4),
    "workload-high": _queue(40, 50, 128, 6),
    "workload-low": _queue(100, 90, 128, 6),
    "global-default": _queue(20, 50, 128, 6),
}

_ANYBODY = (_group("system:unauthenticated"), _group("system:authenticated"))
_CONTROLLERS, _SCHEDULER = _user("system:kube-controller-manager"), _user("system:kube-scheduler")
_LEASES = _resources(_WRITES, ["coordination.k8s.io"], ["leases"])


def _schema(level: str, precedence: int, method: str, *rules: Object) -> Object:
    spec: Object = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
    if method:
        spec["distinguisherMethod"] = {"type": method}
    return spec | {"rules": list(rules)}


_PROBES: Object = {
    "subjects": list(_ANYBODY),
    "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}],
}
_NODES_HIGH: Object = {
    "subjects": [_group("system:nodes")],
    "resourceRules": [
        _resources(_EVERY, [""], ["nodes", "nodes/status"], cluster_scope=True),
        _resources(_EVERY, ["coordination.k8s.io"], ["leases"]),
    ],
}
_ENDPOINTS: Object = {
    "subjects": [_CONTROLLERS, _account("endpoint-controller"), _account("endpointslicemirroring-controller")],
    "resourceRules": [_resources(_WRITES, [""], ["endpoints"])],
}

SCHEMAS: dict[str, Object] = {
    EXEMPT: _schema(EXEMPT, 1, "", _everything(_group("system:masters"))),
    "probes": _schema(EXEMPT, 2, "", _PROBES),
    "system-leader-election": _schema(
        "leader-election",
        100,
        "ByUser",
        {"subjects": [_CONTROLLERS, _SCHEDULER, _account("*")], "resourceRules": [_LEASES]},
    ),
    "endpoint-controller": _schema("workload-high", 150, "ByUser", _ENDPOINTS),
    "workload-leader-election": _schema(
        "leader-election", 200, "ByUser", {"subjects": [_account("*")], "resourceRules": [_LEASES]}
    ),
    "system-node-high": _schema("node-high", 400, "ByUser", _NODES_HIGH),
    "system-nodes": _schema("system", 500, "ByUser", _everything(_group("system:nodes"))),
    "kube-controller-manager": _schema("workload-high", 800, "ByNamespace", _everything(_CONTROLLERS)),
    "kube-scheduler": _schema("workload-high", 800, "ByNamespace", _everything(_SCHEDULER)),
    "kube-system-service-accounts": _schema("workload-high", 900, "ByNamespace", _everything(_account("*"))),
    "service-accounts": _schema("workload-low", 9000, "ByUser", _everything(_group("system:serviceaccounts"))),
    "global-default": _schema("global-default", 9900, "ByUser", _everything(*_ANYBODY)),
    CATCH_ALL: _schema(CATCH_ALL, 10000, "ByUser", _everything(*_ANYBODY)),
}


def make(kind: str, name: str, spec: Object) -> Object:
    """One of them as an object; its spec is a copy."""
    return {
        "kind": kind,
        "apiVersion": API_VERSION,
        "metadata": {"name": name, "annotations": {AUTO_UPDATE: "true"}},
        "spec": _copy(spec),
    }


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value
