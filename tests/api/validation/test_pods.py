import copy

import pytest

from steersman.api import kinds
from steersman.api.validation import pods
from tests.api import builders


def _pod(**spec):
    return builders.refused(kinds.POD, builders.pod(**spec))


def _container(**fields):
    return _pod(containers=[builders.container(**fields)])


def test_a_plain_pod_is_right():
    assert _pod() == []


C = "spec.containers[0]"
CONTAINERS = {
    "image": ({"image": ""}, [f"{C}.image: Required value"]),
    "spaces in the image": (
        {"image": " a"}, [f'{C}.image: Invalid value: " a": must not have leading or trailing whitespace'],
    ),
    "pull policy": (
        {"imagePullPolicy": "Maybe"},
        [f'{C}.imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"'],
    ),
    "port": (
        {"ports": [{"containerPort": 70000}]},
        [f"{C}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"],
    ),
    "protocol": (
        {"ports": [{"containerPort": 80, "protocol": "X"}]},
        [f'{C}.ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"'],
    ),
    "twice the same port name": (
        {"ports": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]},
        [f'{C}.ports[1].name: Duplicate value: "a"'],
    ),
    "mount without volume": (
        {"volumeMounts": [{"name": "gone", "mountPath": "/x"}]}, [f'{C}.volumeMounts[0].name: Not found: "gone"'],
    ),
    "no handler": ({"livenessProbe": {}}, [f"{C}.livenessProbe: Required value: must specify a handler type"]),
    "two handlers": (
        {"readinessProbe": {"exec": {"command": ["x"]}, "tcpSocket": {"port": 80}}},
        [f"{C}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    ),
    "liveness needs one success": (
        {"livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}},
        [f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    "request over limit": (
        {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
        [f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ),
    "negative amount": (
        {"resources": {"requests": {"cpu": "-1"}}},
        [f'{C}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    "unknown resource": (
        {"resources": {"requests": {"speed": "1"}}},
        [f'{C}.resources.requests[speed]: Invalid value: "speed": must be a standard resource for containers'],
    ),
    "variable from two places": (
        {"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        [f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    "unknown field": (
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.gone"}}}]},
        [f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.gone": '
         "error converting fieldPath: field label not supported: spec.gone"],
    ),
    "privileged without escalation": (
        {"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
        [f'{C}.securityContext: Invalid value: {{"privileged":true,"allowPrivilegeEscalation":false}}: '
         "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "expect"), CONTAINERS.values(), ids=CONTAINERS.keys())
def test_containers(fields, expect):
    assert _container(**fields) == expect


TWICE = [builders.container("a"), builders.container("a")]
SPECS = {
    "no containers": ({"containers": []}, ["spec.containers: Required value"]),
    "twice the same name": ({"containers": TWICE}, ['spec.containers[1].name: Duplicate value: "a"']),
    "restart policy": (
        {"restartPolicy": "Maybe"},
        ['spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"'],
    ),
    "dns": (
        {"dnsPolicy": "None"},
        ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ),
    "deadline": (
        {"activeDeadlineSeconds": 0},
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    "host network ports": (
        {"hostNetwork": True, "containers": [builders.container(ports=[{"containerPort": 80, "hostPort": 81}])]},
        ["spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"],
    ),
    "two sources of a volume": (
        {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]},
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    "volume without its secret": (
        {"volumes": [{"name": "v", "secret": {}}]}, ["spec.volumes[0].secret.secretName: Required value"],
    ),
    "way out of a volume": (
        {"volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "a/../b"}]}}]},
        ["spec.volumes[0].configMap.items[0].path: Invalid value: \"a/../b\": must not contain '..'"],
    ),
    "toleration seconds": (
        {"tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 3}]},
        ["spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
    ),
    "affinity weight": (
        {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 0, "preference": {}}]}}},
        ["spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: "
         "must be in the range 1-100"],
    ),
    "spreading": (
        {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]},
        ["spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"],
    ),
    "probe of an init container": (
        {"initContainers": [builders.container("i", livenessProbe={"exec": {"command": ["x"]}})]},
        ["spec.initContainers[0].livenessProbe: Forbidden: "
         "may not be set for init containers without restartPolicy=Always"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), SPECS.values(), ids=SPECS.keys())
def test_specs(spec, expect):
    assert _pod(**spec) == expect


def _update(change, **spec):
    old = builders.stored(kinds.POD, builders.pod(**spec))
    new = copy.deepcopy(old)
    change(new["spec"])
    return [str(error) for error in pods.validate(new, old)]


def _set(**values):
    return lambda spec: spec.update(values)


ALLOWED = {
    "nothing": _set(),
    "an image": lambda spec: spec["containers"][0].update(image="x:2"),
    "a deadline": _set(activeDeadlineSeconds=5),
    "another toleration": lambda spec: spec["tolerations"].append({"key": "b", "operator": "Exists"}),
    "a toleration's seconds": lambda spec: spec["tolerations"][0].update(tolerationSeconds=9),
}


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_an_update_may_change(change):
    assert _update(change, tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute"}]) == []


FORBIDDEN = {
    "a command": (lambda spec: spec["containers"][0].update(command=["x"]), f"spec: Forbidden: {pods.MUTABLE_ONLY}"),
    "the node": (_set(nodeName="n"), f"spec: Forbidden: {pods.MUTABLE_ONLY}"),
    "grace": (_set(terminationGracePeriodSeconds=5), f"spec: Forbidden: {pods.MUTABLE_ONLY}"),
    "a container more": (
        lambda spec: spec["containers"].append(builders.container("b")),
        "spec.containers: Forbidden: pod updates may not add or remove containers",
    ),
    "a later deadline": (
        _set(activeDeadlineSeconds=50),
        "spec.activeDeadlineSeconds: Invalid value: 50: must be less than or equal to previous value",
    ),
    "no deadline": (
        lambda spec: spec.pop("activeDeadlineSeconds"),
        "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value",
    ),
    "a toleration less": (
        lambda spec: spec.pop("tolerations"),
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
    ),
}


@pytest.mark.parametrize(("change", "expect"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_what_an_update_may_not_change(change, expect):
    assert _update(change, activeDeadlineSeconds=10, tolerations=[{"key": "a", "operator": "Exists"}]) == [expect]
