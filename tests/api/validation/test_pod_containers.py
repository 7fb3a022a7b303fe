"""Containers of pods, to upstream's letter: restarts, environment, mounts, probes, hooks, amounts, ephemeral ones."""

import pytest

from steersman.api import kinds
from steersman.api.validation import containers
from tests.api import builders

C = "spec.containers[0]"
EMPTY = {"name": "v", "emptyDir": {}}
CLAIM = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
RULE = {"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}
DIVISORS = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"


def one(**about):
    return {"containers": [builders.container(**about)]}


def variable(**source):
    return one(env=[{"name": "A", "valueFrom": source}])


def file(**about):
    return {**variable(fileKeyRef={"volumeName": "v", "path": "a.env", "key": "A", **about}), "volumes": [EMPTY]}


def rules(*some, **about):
    return one(restartPolicy="Never", restartPolicyRules=list(some), **about)


def device(*some, volumes=(CLAIM,), **about):
    return {**one(volumeDevices=list(some), **about), "volumes": list(volumes)}


def asks(pod, container):
    return {**one(resources=container), "resources": pod}


CASES = {
    # restarts
    "rules without a policy": (
        one(restartPolicyRules=[RULE]),
        [f"{C}.restartPolicy: Required value: must specify restartPolicy when restart rules are used"],
    ),
    "a policy that is none": (
        one(restartPolicy="Maybe"),
        [f'{C}.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"'],
    ),
    "policy and rules": (rules(RULE), []),
    "all again": (rules({**RULE, "action": "RestartAllContainers"}), []),
    "an action that is none": (
        rules({**RULE, "action": "DoNotRestart"}),
        [
            f'{C}.restartPolicyRules[0].action: Unsupported value: "DoNotRestart": supported values: "Restart", '
            '"RestartAllContainers"'
        ],
    ),
    "an operator that is none": (
        rules({"action": "Restart", "exitCodes": {"operator": "Equals", "values": [3]}}),
        [f'{C}.restartPolicyRules[0].exitCodes.operator: Unsupported value: "Equals": supported values: "In", "NotIn"'],
    ),
    "a rule for nothing": (
        rules({"action": "Restart"}),
        [f"{C}.restartPolicyRules[0].exitCodes: Required value: must be specified"],
    ),
    "too many rules": (
        rules(*[RULE] * 21),
        [f"{C}.restartPolicyRules: Too many: 21: must have at most 20 items"],
    ),
    "rules of an init container": (
        {"initContainers": [builders.container("i", restartPolicyRules=[RULE])]},
        ["spec.initContainers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used"],
    ),
    # environment
    "a file of an emptyDir": (file(), []),
    "a file of no volume": (file(volumeName="w"), [f'{C}.env[0].valueFrom.fileKeyRef.volumeName: Not found: "w"']),
    "a file of a claim": (
        {**file(), "volumes": [CLAIM]},
        [f'{C}.env[0].valueFrom.fileKeyRef.volumeName: Invalid value: "v": referenced volume must be of type emptyDir'],
    ),
    "a file far away": (
        file(path="../a"),
        [f"{C}.env[0].valueFrom.fileKeyRef.path: Invalid value: \"../a\": must not contain '..'"],
    ),
    "a field of another pod": (
        variable(fieldRef={"fieldPath": "spec.image"}),
        [
            f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.image": error converting fieldPath: '
            "field label not supported: spec.image"
        ],
    ),
    "a part of a name": (
        variable(fieldRef={"fieldPath": "metadata.name['a']"}),
        [f'{C}.env[0].valueFrom.fieldRef: Invalid value: "metadata.name": does not support subscript'],
    ),
    "all labels at once": (
        variable(fieldRef={"fieldPath": "metadata.labels"}),
        [f'{C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name"'],
    ),
    "an amount that is none": (
        variable(resourceFieldRef={"resource": "limits.gpu"}),
        [
            f'{C}.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: '
            '"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu"'
        ],
    ),
    "a divisor of cpu": (
        variable(resourceFieldRef={"resource": "limits.cpu", "divisor": "2"}),
        [
            f'{C}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and 1 '
            "are supported with the cpu resource"
        ],
    ),
    "a divisor of memory": (
        variable(resourceFieldRef={"resource": "limits.memory", "divisor": "2Mi"}),
        [
            f'{C}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.memory": only divisor\'s values '
            f"{DIVISORS} are supported with the memory resource"
        ],
    ),
    "from nowhere": (
        one(envFrom=[{"prefix": "a"}]),
        [f'{C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'],
    ),
    # mounts and devices
    "a path twice": (
        {**one(volumeMounts=[{"name": "v", "mountPath": "/x"}] * 2), "volumes": [EMPTY]},
        [f'{C}.volumeMounts[1].mountPath: Invalid value: "/x": must be unique'],
    ),
    "a sub path that goes up": (
        {**one(volumeMounts=[{"name": "v", "mountPath": "/x", "subPath": "/../a"}]), "volumes": [EMPTY]},
        [
            f'{C}.volumeMounts.subPath: Invalid value: "/../a": must be a relative path',
            f"{C}.volumeMounts.subPath: Invalid value: \"/../a\": must not contain '..'",
        ],
    ),
    "two sub paths": (
        {
            **one(volumeMounts=[{"name": "v", "mountPath": "/x", "subPath": "a", "subPathExpr": "b"}]),
            "volumes": [EMPTY],
        },
        [f'{C}.volumeMounts[0].subPathExpr: Invalid value: "b": subPathExpr and subPath are mutually exclusive'],
    ),
    "a device of a folder": (
        device({"name": "v", "devicePath": "/dev/x"}, volumes=[EMPTY]),
        [
            f'{C}.volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim '
            "or Ephemeral for block mode"
        ],
    ),
    "a device that goes up": (
        device({"name": "v", "devicePath": "/dev/../x"}),
        [f"{C}.volumeDevices[0].devicePath: Invalid value: \"/dev/../x\": can not contain backsteps ('..')"],
    ),
    # probes and hooks
    "a grace of readiness": (
        one(readinessProbe={"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 5}),
        [f"{C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes"],
    ),
    "two successes of startup": (
        one(startupProbe={"exec": {"command": ["a"]}, "successThreshold": 2}),
        [f"{C}.startupProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    "a sleep beyond the grace": (
        one(lifecycle={"preStop": {"sleep": {"seconds": 31}}}),
        [
            f"{C}.lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than "
            "terminationGracePeriodSeconds (30)"
        ],
    ),
    "a sleep of nothing": (one(lifecycle={"preStop": {"sleep": {"seconds": 0}}}), []),
    "two handlers": (
        one(livenessProbe={"exec": {"command": ["a"]}, "tcpSocket": {"port": 80}}),
        [f"{C}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    ),
    "a signal for no system": (
        one(lifecycle={"stopSignal": "SIGUSR1"}),
        [f"{C}.lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"],
    ),
    # amounts
    "devices of no claim": (
        one(resources={"claims": [{"name": "gpu"}]}),
        [f'{C}.resources.claims[0]: Not found: "gpu": must be one of the names in pod.spec.resourceClaims which is empty'],
    ),
    "restart for more in a pod that never restarts": (
        {**one(resizePolicy=[{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]), "restartPolicy": "Never"},
        [f"{C}.resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'"],
    ),
    "a pod's cpu": (asks({"limits": {"cpu": "1"}}, {"requests": {"cpu": "1"}}), []),
    "a pod's disk": (
        asks({"limits": {"ephemeral-storage": "1Gi"}}, {}),
        [
            'spec.resources.limits[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: '
            '"cpu", "hugepages-", "memory"'
        ],
    ),
    "less than its containers": (
        asks({"requests": {"cpu": "1"}}, {"requests": {"cpu": "1500m"}}),
        [
            'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container '
            "requests of 1500m"
        ],
    ),
    "a container with more than its pod": (
        asks({"limits": {"memory": "1Gi"}}, {"limits": {"memory": "2Gi"}, "requests": {"memory": "1Mi"}}),
        [
            'spec.resources.containers[0][memory].limits: Invalid value: "2Gi": must be less than or equal to pod '
            "limits of 1Gi"
        ],
    ),
    # the pod
    "a name of its own choice": ({"hostnameOverride": "a.example.host", "hostname": "b"}, []),
    "a name of its own choice and a full one": (
        {"hostnameOverride": "a", "setHostnameAsFQDN": True},
        ["spec.hostnameOverride: Forbidden"],
    ),
    "a name of its own choice on the host": (
        {"hostnameOverride": "a", "hostNetwork": True},
        ["spec.hostnameOverride: Forbidden"],
    ),
    "a name that is none": (
        {"hostnameOverride": "Not-RFC1123"},
        ['spec.hostnameOverride: Invalid value: "Not-RFC1123": a lowercase RFC 1123 subdomain must consist of'],
    ),
    "less than no time": ({"terminationGracePeriodSeconds": -1}, []),
    "a domain to search": ({"dnsConfig": {"searches": ["_a.example."]}}, []),
    "no domain to search": (
        {"dnsConfig": {"searches": ["a b"]}},
        ['spec.dnsConfig.searches[0]: Invalid value: "a b": a lowercase RFC 1123 subdomain must consist of'],
    ),
    "a look at others from the start": (
        {"ephemeralContainers": [builders.container("look")]},
        ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ),
    "a node before its gates": (
        {"nodeName": "n", "schedulingGates": [{"name": "a.io/b"}]},
        ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
    ),
    "an amount as a file without its container": (
        {"volumes": [{"name": "d", "downwardAPI": {"items": [{"path": "a", "resourceFieldRef": {"resource": "limits.cpu"}}]}}]},
        ["spec.volumes[0].downwardAPI.resourceFieldRef.containerName: Required value"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "wrong"), CASES.values(), ids=list(CASES))
def test_what_is_refused(spec, wrong):
    found = builders.refused(kinds.POD, builders.pod(**spec))
    assert len(found) == len(wrong), found
    assert all(error.startswith(start) for error, start in zip(found, wrong, strict=True)), found


EPHEMERAL = {"terminationMessagePolicy": "File", "imagePullPolicy": "Always"}
LOOKS = {
    "plain": ({"targetContainerName": "main"}, []),
    "at nobody": ({"targetContainerName": "none"}, ['e[0].targetContainerName: Not found: "none"']),
    "a name that is taken": ({"name": "main"}, ['e[0].name: Duplicate value: "main"']),
    "with a probe": (
        {"livenessProbe": {"exec": {"command": ["a"]}}},
        ["e[0].livenessProbe: Forbidden: cannot be set for an Ephemeral Container"],
    ),
    "with a sub path": (
        {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "a"}]},
        ["e[0].volumeMounts[0].subPath: Forbidden: cannot be set for an Ephemeral Container"],
    ),
}


@pytest.mark.parametrize(("about", "wrong"), LOOKS.values(), ids=list(LOOKS))
def test_a_container_that_looks_at_others(about, wrong):
    around = containers.Around({"containers": [builders.container()]}, {"v": EMPTY}, is_pod=True)
    look = {**builders.container("look"), **EPHEMERAL, **about}
    found = containers.validate_ephemeral([look], "e", around)
    assert [str(error) for error in found] == wrong


def test_a_template_may_leave_host_ports_open():
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"hostNetwork": True, **one(ports=[{"containerPort": 80}])},
    }
    made = builders.stored(kinds.DEPLOYMENT, builders.deployment(template=template))
    assert kinds.DEPLOYMENT.validate is not None
    assert kinds.DEPLOYMENT.validate(made, None) == []
    assert "hostPort" not in made["spec"]["template"]["spec"]["containers"][0]["ports"][0]
