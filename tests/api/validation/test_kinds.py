import pytest

from steersman.api import kinds
from tests.api import builders

SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"


@pytest.mark.parametrize(
    "kind",
    [kind for kind in kinds.BUILTIN if "update" in kind.verbs],
    ids=lambda kind: f"{kind.api_version} {kind.kind}",
)
def test_every_kind_checks_its_name(kind):
    obj = builders.of_kind(kind, name="a/b")
    assert any(error.startswith("metadata.name: Invalid value") for error in builders.refused(kind, obj))
    nameless = builders.of_kind(kind)
    del nameless["metadata"]["name"]
    assert "metadata.name: Required value: name or generateName is required" in builders.refused(kind, nameless)


METADATA = {
    "label": ({"labels": {"a": "b c"}}, 'metadata.labels: Invalid value: "b c": a valid label must be'),
    "annotation": (
        {"annotations": {"/a": ""}},
        'metadata.annotations: Invalid value: "/a": prefix part must be non-empty',
    ),
    "owner": (
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x"}]},
        'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ),
    "two controllers": (
        {
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": n, "uid": n, "controller": True} for n in "ab"
            ]
        },
        "metadata.ownerReferences: Invalid value: [",
    ),
    "finalizer": (
        {"finalizers": ["mine"]},
        'metadata.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ),
    "generateName": ({"generateName": "A-"}, f'metadata.generateName: Invalid value: "A-": {SUBDOMAIN}'),
}


@pytest.mark.parametrize(("change", "expect"), METADATA.values(), ids=METADATA.keys())
def test_metadata(change, expect):
    obj = builders.of_kind(kinds.CONFIG_MAP)
    obj["metadata"] |= change
    assert any(error.startswith(expect) for error in builders.refused(kinds.CONFIG_MAP, obj))


def test_scope():
    assert "metadata.namespace: Required value" in builders.refused(kinds.CONFIG_MAP, {"metadata": {"name": "x"}})
    errors = builders.refused(kinds.NAMESPACE, {"metadata": {"name": "x", "namespace": "y"}})
    assert errors == ["metadata.namespace: Forbidden: not allowed on this type"]


def test_no_finalizer_is_added_while_deleting():
    old = builders.of_kind(kinds.CONFIG_MAP)
    old["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/x"]}
    new = builders.of_kind(kinds.CONFIG_MAP)
    new["metadata"] |= {"finalizers": ["a/x", "a/y"]}
    assert builders.refused(kinds.CONFIG_MAP, new, old) == [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        'found new finalizers ["a/y"]'
    ]


def _template(labels, **spec):
    return {"metadata": {"labels": labels}, "spec": {"containers": [builders.container()], **spec}}


DEPLOYMENTS = {
    "right": ({}, []),
    "no selector": ({"selector": None}, ["spec.selector: Required value"]),
    "empty selector": (
        {"selector": {}}, ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
    ),
    "selector of other labels": (
        {"template": _template({"app": "db"})},
        ['spec.template.metadata.labels: Invalid value: {"app":"db"}: `selector` does not match template `labels`'],
    ),
    "restart policy": (
        {"template": _template({"app": "web"}, restartPolicy="Never")},
        ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ),
    "negative replicas": (
        {"replicas": -1}, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "nothing may change": (
        {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
        ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ),
    "more than all": (
        {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
        ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
    ),
    "rolling a recreation": (
        {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
        ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ),
    "strategy": (
        {"strategy": {"type": "Maybe"}},
        ['spec.strategy.type: Unsupported value: "Maybe": supported values: "Recreate", "RollingUpdate"'],
    ),
    "deadline": (
        {"progressDeadlineSeconds": 5, "minReadySeconds": 5},
        ["spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), DEPLOYMENTS.values(), ids=DEPLOYMENTS.keys())
def test_deployments(spec, expect):
    assert builders.refused(kinds.DEPLOYMENT, builders.deployment(**spec)) == expect


def test_selectors_never_change():
    old = builders.deployment()
    new = builders.deployment(selector={"matchLabels": {"app": "db"}}, template=_template({"app": "db"}))
    assert builders.refused(kinds.DEPLOYMENT, new, old) == [
        'spec.selector: Invalid value: {"matchLabels":{"app":"db"}}: field is immutable'
    ]


SERVICES = {
    "right": ({}, []),
    "no ports": ({"ports": []}, ["spec.ports: Required value"]),
    "headless without ports": ({"ports": [], "clusterIP": "None", "clusterIPs": ["None"]}, []),
    "names for several": (
        {"ports": [{"port": 80}, {"port": 81}]}, ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
    ),
    "port": (
        {"ports": [{"port": 0}]},
        ["spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
         "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive"],
    ),
    "twice the same port": (
        {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]},
        ['spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}'],
    ),
    "type": (
        {"type": "Maybe"},
        ['spec.type: Unsupported value: "Maybe": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'],
    ),
    "node port": (
        {"ports": [{"port": 80, "nodePort": 30000}]},
        ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ),
    "external name": ({"type": "ExternalName"}, ["spec.externalName: Required value"]),
    "address": (
        {"clusterIP": "x", "clusterIPs": ["x"]},
        ['spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ),
    "outside policy": (
        {"externalTrafficPolicy": "Local"},
        ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), SERVICES.values(), ids=SERVICES.keys())
def test_services(spec, expect):
    assert builders.refused(kinds.SERVICE, builders.service(**spec)) == expect


def test_a_cluster_address_stays():
    old = builders.service(type="ClusterIP", clusterIP="10.96.0.9", clusterIPs=["10.96.0.9"])
    new = builders.service(type="ClusterIP", clusterIP="10.96.0.8", clusterIPs=["10.96.0.8"])
    assert builders.refused(kinds.SERVICE, new, old) == [
        'spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set'
    ]


FROZEN = "Forbidden: field is immutable when `immutable` is set"
OTHERS = {
    "config map key": (
        kinds.CONFIG_MAP, {"data": {"a/b": ""}}, None,
        ["data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
         "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"],
    ),
    "config map too large": (
        kinds.CONFIG_MAP, {"data": {"a": "x" * (1 << 20) + "x"}}, None,
        ["[]: Too long: may not be more than 1048576 bytes"],
    ),
    "frozen config map": (
        kinds.CONFIG_MAP, {"data": {"a": "2"}}, {"data": {"a": "1"}, "immutable": True},
        [f"immutable: {FROZEN}", f"data: {FROZEN}"],
    ),
    "secret type": (
        kinds.SECRET, {"type": "a"}, {"type": "b"}, ['type: Invalid value: "a": field is immutable'],
    ),
    "tls secret": (
        kinds.SECRET, {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, None, ["data[tls.key]: Required value"],
    ),
    "role without verbs": (
        kinds.ROLE, {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": []}]}, None,
        ["rules[0].verbs: Required value: verbs must contain at least one value"],
    ),
    "role with urls": (
        kinds.ROLE, {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}, None,
        ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
    ),
    "changed role": (
        kinds.CLUSTER_ROLE_BINDING, {"roleRef": {"kind": "ClusterRole", "name": "b"}},
        {"roleRef": {"kind": "ClusterRole", "name": "a", "apiGroup": "rbac.authorization.k8s.io"}},
        ['roleRef: Invalid value: {"kind":"ClusterRole","name":"b","apiGroup":"rbac.authorization.k8s.io"}: '
         "cannot change roleRef"],
    ),
    "subject": (
        kinds.ROLE_BINDING, {"roleRef": {"kind": "Role", "name": "a"}, "subjects": [{"kind": "Robot", "name": "x"}]}, None,
        ['subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"'],
    ),
    "lease": (
        kinds.LEASE, {"spec": {"leaseDurationSeconds": 0}}, None,
        ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    ),
    "address type": (
        kinds.ENDPOINT_SLICE, {"addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}]}, None,
        ['endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address'],
    ),
    "endpoint without address": (
        kinds.ENDPOINT_SLICE, {"addressType": "IPv4", "endpoints": [{"addresses": []}]}, None,
        ["endpoints[0].addresses: Required value: must contain at least 1 address"],
    ),
    "endpoints": (
        kinds.ENDPOINTS, {"subsets": [{}]}, None,
        ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
    ),
    "priority": (
        kinds.PRIORITY_CLASS, {"value": 2_000_000_000}, None,
        ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    ),
    "changed priority": (
        kinds.PRIORITY_CLASS, {"value": 2}, {"value": 1, "preemptionPolicy": "PreemptLowerPriority"},
        ["value: Forbidden: may not be changed in an update."],
    ),
    "pod range of a node": (
        kinds.NODE, {"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}},
        {"spec": {"podCIDR": "10.2.0.0/24", "podCIDRs": ["10.2.0.0/24"]}},
        ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'],
    ),
    "taint": (
        kinds.NODE, {"spec": {"taints": [{"key": "a", "effect": "Maybe"}]}}, None,
        ['spec.taints[0].effect: Unsupported value: "Maybe": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'],
    ),
    "event elsewhere": (
        kinds.EVENT, {"involvedObject": {"namespace": "other"}}, None,
        ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "new", "old", "expect"), OTHERS.values(), ids=OTHERS.keys())
def test_other_kinds(kind, new, old, expect):
    before = None if old is None else builders.of_kind(kind, **old)
    assert builders.refused(kind, builders.of_kind(kind, **new), before) == expect
