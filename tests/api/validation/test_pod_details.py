"""Pods: security contexts, mounts and devices, resources that are not shared, spreading, node fields."""

import pytest

from steersman.api import kinds
from tests.api import builders

C = "spec.containers[0]"
VOLUMES = [{"name": "v", "emptyDir": {}}]


def _pod(**spec):
    return builders.refused(kinds.POD, builders.pod(**spec))


def _mount(**fields):
    return {
        "volumes": VOLUMES,
        "containers": [builders.container(volumeMounts=[{"name": "v", "mountPath": "/x", **fields}])],
    }


def _resources(**fields):
    return {"containers": [builders.container(resources=fields)]}


def _spread(**fields):
    return {
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}, **fields}
        ]
    }


def _node_field(**fields):
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"], **fields}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"affinity": {"nodeAffinity": required}}


FIELD = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0]"
CASES = {
    "group": (
        {"securityContext": {"supplementalGroups": [-1]}},
        ["spec.securityContext.supplementalGroups[0]: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ),
    "sysctl": (
        {"securityContext": {"sysctls": [{"name": "Kernel", "value": "1"}]}},
        ['spec.securityContext.sysctls[0].name: Invalid value: "Kernel": must have at most 253 characters and match regex'],
    ),
    "sysctl of the host's network": (
        {"hostNetwork": True, "securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}},
        ["spec.securityContext.sysctls[0].name: Invalid value"],
    ),
    "change policy": (
        {"securityContext": {"fsGroupChangePolicy": "Never"}},
        ['spec.securityContext.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"'],
    ),
    "profile without its name": (
        {"securityContext": {"seccompProfile": {"type": "Localhost"}}},
        ["spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"],
    ),
    "profile with a name": (
        {"containers": [builders.container(securityContext={"seccompProfile": {"type": "Unconfined", "localhostProfile": "a"}})]},
        [f'{C}.securityContext.seccompProfile.localhostProfile: Invalid value: "a": can only be set when seccomp type is'],
    ),
    "all of /proc": (
        {"containers": [builders.container(securityContext={"procMount": "Unmasked"})]},
        [f'{C}.securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`'],
    ),
    "own users": ({"hostUsers": False, "containers": [builders.container(securityContext={"procMount": "Unmasked"})]}, []),
    "own users in the host's network": (
        {"hostUsers": False, "hostNetwork": True},
        ["spec.hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false"],
    ),
    "operating system": (
        {"os": {"name": "plan9"}}, ['spec.os.name: Unsupported value: "plan9": supported values: "linux", "windows"'],
    ),
    "mounts for the host": (
        _mount(mountPropagation="Bidirectional"),
        [f"{C}.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged"],
    ),
    "read-only all the way down": (
        _mount(recursiveReadOnly="Enabled"),
        [f"{C}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true"],
    ),
    "device and mount": (
        {
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
            "containers": [
                builders.container(
                    volumeMounts=[{"name": "v", "mountPath": "/x"}], volumeDevices=[{"name": "v", "devicePath": "/dev/x"}]
                )
            ],
        },
        [
            f'{C}.volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices',
            f'{C}.volumeDevices[0].name: Invalid value: "v": must not already exist in volumeMounts',
        ],
    ),
    "part of a whole": (
        _resources(limits={"a.io/gpu": "2"}, requests={"a.io/gpu": "1"}),
        [f'{C}.resources.requests: Invalid value: "1": must be equal to a.io/gpu limit of 2'],
    ),
    "no limit of what is whole": (
        _resources(requests={"a.io/gpu": "1"}),
        [f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources"],
    ),
    "huge pages alone": (
        _resources(limits={"hugepages-2Mi": "2Mi"}, requests={"hugepages-2Mi": "2Mi"}),
        [f"{C}.resources: Forbidden: HugePages require cpu or memory"],
    ),
    "header": (
        {"containers": [builders.container(livenessProbe={"httpGet": {"port": 80, "httpHeaders": [{"name": "a b"}]}})]},
        [f'{C}.livenessProbe.httpGet.httpHeaders: Invalid value: "a b": a valid HTTP header must consist of'],
    ),
    "domains": (_spread(minDomains=0), ["spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: must be greater"]),
    "domains that do not matter": (
        _spread(minDomains=1, whenUnsatisfiable="ScheduleAnyway"),
        ["spec.topologySpreadConstraints[0].minDomains: Invalid value: 1: can only use minDomains if whenUnsatisfiable=DoNot"],
    ),
    "inclusion": (_spread(nodeTaintsPolicy="Maybe"), ["spec.topologySpreadConstraints[0].nodeTaintsPolicy: Unsupported value"]),
    "key twice": (
        _spread(matchLabelKeys=["app"], labelSelector={"matchLabels": {"app": "x"}}),
        ['spec.topologySpreadConstraints[0].matchLabelKeys[0]: Invalid value: "app": exists in both matchLabelKeys and'],
    ),
    "constraint twice": (
        {"topologySpreadConstraints": _spread()["topologySpreadConstraints"] * 2},
        ['spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"'],
    ),
    "two nodes": (
        _node_field(values=["a", "b"]),
        [f"{FIELD}.values: Required value: must be only one value when `operator` is 'In' or 'NotIn' for node field selector"],
    ),
    "a label as field": (_node_field(key="zone"), [f'{FIELD}.key: Invalid value: "zone": not a valid field selector key']),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "wrong"), CASES.values(), ids=list(CASES))
def test_what_is_refused(spec, wrong):
    found = _pod(**spec)
    assert len(found) == len(wrong), found
    assert all(error.startswith(start) for error, start in zip(found, wrong, strict=True)), found
