"""What a container and its sandbox are told: environment, security, resources, DNS."""

from pathlib import Path
from typing import Any

import pytest

from steersman.containers import runtime
from steersman.kubelet import container_config, environment, qos, sandbox_config
from steersman.kubelet.environment import ConfigError, Context, Reference
from steersman.kubelet.options import Options
from steersman.meta.objects import Object
from tests.kubelet import world

OPTIONS = Options(data_dir=Path("/data"), address="172.30.0.2", hostname="node-1")


def pod(**about: Any) -> Object:
    made = world.pod(**about)
    made["metadata"].update(uid="uid-1", labels={"app": "web"})
    return made


def env(*variables: Object, env_from: tuple[Object, ...] = (), **context: Any) -> dict[str, str]:
    one = world.container(env=list(variables), envFrom=list(env_from), resources={"limits": {"memory": "64Mi"}})
    known = {"pod": pod(containers=[one]), "addresses": ("10.0.0.7",), "host_addresses": ("172.30.0.2",), **context}
    return environment.build(one, Context(**known))


SERVICE = {
    "metadata": {"name": "web-db", "namespace": "default"},
    "spec": {"clusterIP": "10.96.0.7", "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}]},
}
CONFIG, SECRET = Reference("ConfigMap", "settings"), Reference("Secret", "keys")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A $", "$A $"),
        ("$(A", "$(A"),
        ("$", "$"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert environment.expand(text, {"A": "1", "B": "2"}.get) == expected


def test_later_variables_see_earlier_ones() -> None:
    assert env({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(A)"})["B"] == "11"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "web"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['none']", ""),
        ("status.podIP", "10.0.0.7"),
        ("status.hostIP", "172.30.0.2"),
        ("spec.nodeName", "node-1"),
        ("metadata.uid", "uid-1"),
    ],
)
def test_fields(path: str, expected: str) -> None:
    assert env({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}})["A"] == expected


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [("limits.memory", "1Mi", "64"), ("limits.memory", "", "67108864"), ("limits.cpu", "1m", "2000")],
)
def test_resource_fields(resource: str, divisor: str, expected: str) -> None:
    reference = {"resource": resource, "divisor": divisor}
    found = env({"name": "A", "valueFrom": {"resourceFieldRef": reference}}, allocatable={"cpu": "2"})
    assert found["A"] == expected


def test_sources() -> None:
    found = env(
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}},
        {"name": "NOT", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "no", "optional": True}}},
        env_from=({"prefix": "P_", "configMapRef": {"name": "settings"}},),
        found={CONFIG: {"a": "1", "b c": "no name"}, SECRET: {"k": "v"}},
    )
    assert found == {"P_a": "1", "KEY": "v"}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({CONFIG: None}, 'configmap "settings" not found'),
        ({CONFIG: {}}, "couldn't find key a in ConfigMap default/settings"),
    ],
)
def test_what_is_missing_is_said(found: dict[Reference, Any], message: str) -> None:
    variable = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}
    with pytest.raises(ConfigError) as refused:
        env(variable, found=found)
    assert str(refused.value) == message


def test_service_links() -> None:
    found = env(services=[SERVICE])
    assert found["WEB_DB_SERVICE_HOST"] == "10.96.0.7"
    assert found["WEB_DB_SERVICE_PORT_SQL"] == "5432"
    assert found["WEB_DB_PORT_5432_TCP"] == "tcp://10.96.0.7:5432"
    assert not env(services=[SERVICE], pod=pod(enableServiceLinks=False))


def test_commands_are_expanded() -> None:
    one = world.container(command=["sh", "-c", "echo $(A)"], args=["$(B)"])
    made = container_config.build(pod(), one, 2, {"A": "1"}, container_config.Files(Path("/log")))
    assert (made.command, made.args, made.attempt) == (("sh", "-c", "echo 1"), ("$(B)",), 2)


@pytest.mark.parametrize(
    ("of_pod", "own", "image_user", "message"),
    [
        ({"runAsNonRoot": True}, {}, "", "container has runAsNonRoot and image will run as root"),
        ({}, {"runAsNonRoot": True, "runAsUser": 0}, "", "container's runAsUser breaks non-root policy"),
        ({"runAsNonRoot": True}, {}, "www", "container has runAsNonRoot and image has non-numeric user (www)"),
        ({"runAsNonRoot": True}, {}, "101:101", ""),
        ({"runAsNonRoot": True}, {"runAsNonRoot": False}, "", ""),
    ],
)
def test_not_as_root(of_pod: Object, own: Object, image_user: str, message: str) -> None:
    spec = pod(securityContext=of_pod)
    if not message:
        container_config.security(spec, own, "", container_config.Given(image_user=image_user))
        return
    with pytest.raises(ConfigError, match=message.replace("(", r"\(").replace(")", r"\)")):
        container_config.security(spec, own, "", container_config.Given(image_user=image_user))


def test_security() -> None:
    own = {
        "runAsUser": 1000,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        "readOnlyRootFilesystem": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "appArmorProfile": {"type": "Localhost", "localhostProfile": "mine"},
    }
    made = container_config.security(
        pod(securityContext={"fsGroup": 5, "runAsGroup": 7}), own, "", container_config.Given()
    )
    assert made == runtime.Security(
        run_as_user=1000,
        run_as_group=7,
        supplemental_groups=(5,),
        read_only_root=True,
        no_new_privileges=True,
        add_capabilities=("CAP_NET_ADMIN",),
        drop_capabilities=("ALL",),
        seccomp="RuntimeDefault",
        app_armor="Localhost/mine",
    )


def resources(requests: Object | None = None, limits: Object | None = None) -> Object:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}}


BOTH = {"cpu": "500m", "memory": "64Mi"}


@pytest.mark.parametrize(
    ("about", "name", "parent"),
    [
        ([resources()], "BestEffort", "kubepods/besteffort/poduid-1"),
        ([resources(BOTH, BOTH)], "Guaranteed", "kubepods/poduid-1"),
        ([resources(None, BOTH)], "Guaranteed", "kubepods/poduid-1"),
        ([resources({"cpu": "1"})], "Burstable", "kubepods/burstable/poduid-1"),
        ([resources(BOTH, BOTH), resources()], "Burstable", "kubepods/burstable/poduid-1"),
    ],
)
def test_quality_of_service(about: list[Object], name: str, parent: str) -> None:
    made = pod(containers=[world.container(f"c{n}", **one) for n, one in enumerate(about)])
    assert (qos.pod_class(made), qos.cgroup_parent(made)) == (name, parent)


def test_a_pod_with_resources_of_its_own() -> None:
    own = {"requests": {"cpu": "1", "memory": "400Mi"}, "limits": {"cpu": "2", "memory": "800Mi"}}
    small = world.container("small", **resources({"memory": "100Mi"}, {"memory": "200Mi"}))
    spec = pod(containers=[small, world.container("none")], resources=own)
    assert qos.pod_class(spec) == "Burstable"
    found = qos.container_resources(spec, small, qos.Share(4 << 30))
    assert (found.cpu_quota_us, found.memory_limit_bytes) == (200_000, 200 << 20)
    assert qos.container_resources(spec, world.container("none"), qos.Share(4 << 30)).memory_limit_bytes == 800 << 20
    assert found.oom_score_adjust == 1000 - 1000 * (100 + 150) // 4096, "what is left of the pod's request is shared"
    assert (
        qos.pod_class(pod(containers=[small], resources={"requests": own["limits"], "limits": own["limits"]}))
        == "Guaranteed"
    )


def test_a_sidecar_is_killed_after_whom_it_serves() -> None:
    inits = [world.sidecar("side")]
    spec = pod(inits=inits, containers=[world.container(**resources({"memory": "2Gi"}))])
    assert qos.oom_score(spec, inits[0], 4 << 30) == qos.oom_score(spec, spec["spec"]["containers"][0], 4 << 30) == 500


def test_limits() -> None:
    one = world.container(**resources({"cpu": "250m"}, BOTH))
    made = qos.container_resources(pod(containers=[one]), one, qos.Share(1 << 30))
    assert (made.cpu_shares, made.cpu_quota_us, made.memory_limit_bytes) == (256, 50_000, 64 << 20)
    assert qos.pod_resources(pod(containers=[one, one | {"name": "second"}])) == (1000, 512, 128 << 20)
    assert qos.pod_resources(pod(containers=[one, world.container("free")]))[2] == 0


NODE_DNS = runtime.Dns(("192.0.2.53",), ("example.org",), ("rotate",))


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (
            {},
            runtime.Dns(
                ("10.96.0.10",),
                ("default.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org"),
                ("ndots:5",),
            ),
        ),
        ({"dnsPolicy": "Default"}, NODE_DNS),
        ({"hostNetwork": True}, NODE_DNS),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"]}}, runtime.Dns(("1.1.1.1",))),
        (
            {"dnsPolicy": "Default", "dnsConfig": {"searches": ["a"], "options": [{"name": "ndots", "value": "2"}]}},
            runtime.Dns(("192.0.2.53",), ("example.org", "a"), ("rotate", "ndots:2")),
        ),
    ],
    ids=["cluster first", "default", "host network", "none", "own additions"],
)
def test_dns(about: Object, expected: runtime.Dns) -> None:
    assert sandbox_config.dns(pod(**about), OPTIONS, NODE_DNS) == expected


def test_resolv_conf_is_read() -> None:
    text = "# comment\nsearch old\nnameserver 192.0.2.53\nsearch example.org\noptions rotate\n"
    assert sandbox_config.parse_resolv_conf(text) == NODE_DNS


def test_names() -> None:
    made = pod(subdomain="db", hostname="zero")
    assert sandbox_config.hostname(made, OPTIONS) == "zero"
    assert sandbox_config.domain_name(made, OPTIONS) == "zero.db.default.svc.cluster.local"
    assert "10.0.0.7\tzero.db.default.svc.cluster.local\tzero" in sandbox_config.hosts_file(
        made, ("10.0.0.7",), OPTIONS
    )
    assert sandbox_config.hostname(world.pod("x" * 80), OPTIONS) == "x" * 63


def test_a_sandbox() -> None:
    ports = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}]
    made = sandbox_config.build(pod(containers=[world.container(ports=ports)]), 1, OPTIONS, NODE_DNS)
    assert made.port_mappings == (runtime.PortMapping(80, 8080),)
    assert made.labels["io.kubernetes.pod.uid"] == "uid-1"
    assert (made.attempt, made.cgroup_parent) == (1, "kubepods/besteffort/poduid-1")


@pytest.mark.parametrize(
    ("own", "of_pod", "expect"),
    [
        ({}, {}, "RuntimeDefault"),
        ({"seccompProfile": {"type": "Unconfined"}}, {}, "Unconfined"),
        ({}, {"seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}}, "Localhost//node/seccomp/a.json"),
        ({"privileged": True}, {}, "Unconfined"),
    ],
)
def test_the_default_profile_of_a_node(own: Object, of_pod: Object, expect: str) -> None:
    """Upstream's `seccompdefault_test.go`."""
    pod = world.pod(securityContext=of_pod)
    given = container_config.Given(seccomp_default=True, seccomp_dir="/node/seccomp")
    assert container_config.security(pod, own, "", given).seccomp == expect
    if not own and not of_pod:
        assert container_config.security(pod, own, "", container_config.Given()).seccomp == "Unconfined"


@pytest.mark.parametrize(
    ("about", "resources", "wish"),
    [
        pytest.param({}, {}, 0, id="best effort"),
        pytest.param({}, {"requests": {"memory": "1Gi"}}, 256 << 20, id="burstable: in proportion"),
        pytest.param({}, {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}, 256 << 20, id="with a limit"),
        pytest.param({}, {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}, 0, id="all of it promised"),
        pytest.param(
            {},
            {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
            0,
            id="guaranteed",
        ),
        pytest.param({"priority": 2_000_000_000}, {"requests": {"memory": "1Gi"}}, 0, id="critical"),
    ],
)
def test_who_may_swap(about: Object, resources: Object, wish: int) -> None:
    """LimitedSwap, on a node of 8 GiB of memory and 2 GiB of swap; with NoSwap nobody may."""
    one = world.container(resources=resources)
    of = pod(containers=[one], **about)
    assert qos.container_resources(of, one, qos.Share(8 << 30, 2 << 30)).swap_bytes == wish
    assert qos.container_resources(of, one, qos.Share(8 << 30)).swap_bytes == 0


def test_huge_pages_by_size() -> None:
    wanted = {"memory": "1Gi", "hugepages-2Mi": "4Mi", "hugepages-1Gi": "2Gi"}
    one = world.container(resources={"limits": wanted, "requests": wanted})
    found = qos.container_resources(pod(containers=[one]), one, qos.Share())
    assert found.huge_pages == {"2MB": 4 << 20, "1GB": 2 << 30}
