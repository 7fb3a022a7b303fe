"""What the Pod Security Standards forbid, in upstream's words, release by release."""

import pytest

from steersman.api.pod_security import evaluation
from steersman.api.pod_security.levels import Standard
from steersman.api.pod_security.pods import Pod

HARDENED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
GOOD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def container(name="a", **fields):
    return {"name": name, "image": "x", **fields}


def said(standard, spec, annotations=None):
    level, _, version = standard.partition(":")
    pod = Pod(annotations or {}, {"containers": [container()], **spec})
    return evaluation.details(evaluation.violations(Standard(level, version or "latest"), pod))


def secured(**security):
    """A pod of two containers that say this."""
    return {"containers": [container("a", securityContext=security), container("b", securityContext=security)]}


BOTH = 'containers "a", "b"'
BASELINE = [
    pytest.param({}, "", id="plain"),
    pytest.param({"hostNetwork": True, "hostPID": True}, "host namespaces (hostNetwork=true, hostPID=true)", id="host"),
    pytest.param(
        {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")', id="host's folders"
    ),
    pytest.param(
        {"containers": [container(ports=[{"hostPort": 80}, {"hostPort": 8080}, {"containerPort": 1}])]},
        'hostPort (container "a" uses hostPorts 80, 8080)',
        id="host's ports",
    ),
    pytest.param(
        {"initContainers": [container("i", securityContext={"privileged": True})]},
        'privileged (container "i" must not set securityContext.privileged=true)',
        id="privileged",
    ),
    pytest.param(
        secured(capabilities={"add": ["NET_ADMIN", "CHOWN", "BPF"]}),
        f'non-default capabilities ({BOTH} must not include "BPF", "NET_ADMIN" in securityContext.capabilities.add)',
        id="capabilities",
    ),
    pytest.param(
        {
            "securityContext": {"appArmorProfile": {"type": "Unconfined"}},
            **secured(appArmorProfile={"type": "Unconfined"}),
        },
        f'forbidden AppArmor profile (pod and {BOTH} must not set AppArmor profile type to "Unconfined")',
        id="AppArmor",
    ),
    pytest.param(
        secured(procMount="Unmasked"),
        f'procMount ({BOTH} must not set securityContext.procMount to "Unmasked")',
        id="proc",
    ),
    pytest.param({"hostUsers": False, **secured(procMount="Unmasked")}, "", id="proc of users of its own"),
    pytest.param(
        {"securityContext": {"seLinuxOptions": {"type": "spc_t", "user": "u", "role": "r"}}},
        "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: "
        'type "spc_t"; user may not be set; role may not be set)',
        id="SELinux",
    ),
    pytest.param(
        secured(seccompProfile={"type": "Unconfined"}),
        f'seccompProfile ({BOTH} must not set securityContext.seccompProfile.type to "Unconfined")',
        id="seccomp",
    ),
    pytest.param(
        {"securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}, {"name": "x"}]}},
        "forbidden sysctls (kernel.msgmax, x)",
        id="sysctls",
    ),
    pytest.param(
        {"securityContext": {"windowsOptions": {"hostProcess": True}}},
        "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        id="Windows",
    ),
    pytest.param(
        {
            "containers": [
                container(livenessProbe={"httpGet": {"host": "1.1.1.1"}}, lifecycle={"preStop": {"exec": {}}})
            ]
        },
        'probe or lifecycle host (container "a" uses probe or lifecycle host "1.1.1.1")',
        id="probes of others",
    ),
]


@pytest.mark.parametrize(("spec", "expected"), BASELINE)
def test_baseline(spec, expected):
    assert said("baseline", spec) == expected
    assert said("privileged", spec) == ""


RESTRICTED = [
    pytest.param({"securityContext": GOOD, "containers": [container(securityContext=HARDENED)]}, "", id="hardened"),
    pytest.param(
        {},
        'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
        '"Localhost")',
        id="says nothing",
    ),
    pytest.param(
        {
            "securityContext": {**GOOD, "runAsNonRoot": False, "runAsUser": 0},
            "containers": [container(securityContext={**HARDENED, "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}})],
            "volumes": [{"name": "v", "hostPath": {}}, {"name": "w", "image": {}}, {"name": "ok", "secret": {}}],
        },
        'unrestricted capabilities (container "a" must not include "CHOWN" in securityContext.capabilities.add), '
        'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "unknown"), '
        "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false), "
        "runAsUser=0 (pod must not set runAsUser=0)",
        id="says the wrong things",
    ),
    pytest.param(
        {"os": {"name": "windows"}, "securityContext": {"runAsNonRoot": True}}, "", id="what Windows does not have"
    ),
    pytest.param(
        {"hostUsers": False, "securityContext": {**GOOD, "runAsNonRoot": None, "runAsUser": 0},
         "containers": [container(securityContext=HARDENED)]},
        "", id="root in users of its own",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), RESTRICTED)
def test_restricted(spec, expected):
    assert said("restricted", spec) == expected


RELEASES = [
    ("baseline:v1.26", {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_local_reserved_ports"}]}}, False),
    ("baseline:v1.27", {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_local_reserved_ports"}]}}, True),
    ("baseline:v1.33", {"containers": [container(livenessProbe={"tcpSocket": {"host": "x"}})]}, True),
    ("baseline:v1.34", {"containers": [container(livenessProbe={"tcpSocket": {"host": "x"}})]}, False),
    ("baseline:v1.34", {"hostUsers": False, **secured(procMount="Unmasked")}, False),
    ("baseline:v1.30", {"securityContext": {"seLinuxOptions": {"type": "container_engine_t"}}}, False),
    ("baseline:v1.31", {"securityContext": {"seLinuxOptions": {"type": "container_engine_t"}}}, True),
    ("restricted:v1.7", {"securityContext": {"runAsNonRoot": True}}, True),
    ("restricted:v1.8", {"securityContext": {"runAsNonRoot": True}}, False),
    ("baseline:v1.999", {"hostPID": True}, False),
]


@pytest.mark.parametrize(("standard", "spec", "allowed"), RELEASES)
def test_each_release_has_its_own(standard, spec, allowed):
    assert (said(standard, spec) == "") is allowed


def test_annotations_of_old():
    annotations = {
        "container.apparmor.security.beta.kubernetes.io/a": "unconfined",
        "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
        "container.seccomp.security.alpha.kubernetes.io/a": "localhost/x",
    }
    assert said("baseline:v1.18", {}, annotations) == (
        "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
        '"container.apparmor.security.beta.kubernetes.io/a="unconfined""), '
        'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")'
    )
    assert "seccompProfile" not in said("baseline", {}, annotations)
