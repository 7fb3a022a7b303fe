import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.api.defaults import pods
from tests.api import builders


def test_pod():
    spec = builders.stored(kinds.POD, builders.pod())["spec"]
    assert spec == {
        "containers": [
            {
                "name": "main", "image": "localhost/hello:1", "imagePullPolicy": "IfNotPresent", "resources": {},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst", "enableServiceLinks": True, "restartPolicy": "Always",
        "schedulerName": "default-scheduler", "securityContext": {}, "terminationGracePeriodSeconds": 30,
    }  # fmt: skip


IMAGES = {
    "busybox": "Always", "busybox:latest": "Always", "busybox:1.36": "IfNotPresent", "localhost:5000/a": "Always",
    "localhost:5000/a:1": "IfNotPresent", "a@sha256:00": "IfNotPresent", "a:latest@sha256:00": "IfNotPresent",
}  # fmt: skip


@pytest.mark.parametrize(("image", "policy"), IMAGES.items())
def test_pull_policy_follows_the_tag(image, policy):
    assert pods.pull_policy(image) == policy


def _container(**fields):
    return builders.stored(kinds.POD, builders.pod(containers=[builders.container(**fields)]))["spec"]["containers"][0]


def test_requests_follow_limits_in_pods_but_not_in_templates():
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    assert _container(resources=resources)["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [builders.container(resources=resources)]},
    }
    spec = builders.stored(kinds.DEPLOYMENT, builders.deployment(template=template))["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "500m"}
    assert "enableServiceLinks" not in spec


def test_amounts_are_kept_in_thousandths():
    assert _container(resources={"requests": {"cpu": "0.1u"}})["resources"]["requests"] == {"cpu": "1m"}


def test_probes_and_handlers():
    container = _container(livenessProbe={"httpGet": {"port": 80}}, lifecycle={"preStop": {"httpGet": {"port": 80}}})
    assert container["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
    }  # fmt: skip
    assert container["lifecycle"]["preStop"]["httpGet"]["path"] == "/"


def test_ports_environment_and_host_network():
    assert _container(ports=[{"containerPort": 80}])["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    env = [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    assert _container(env=env)["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    pod = builders.pod(hostNetwork=True, containers=[builders.container(ports=[{"containerPort": 80}])])
    assert builders.stored(kinds.POD, pod)["spec"]["containers"][0]["ports"][0]["hostPort"] == 80


VOLUMES = {
    "nothing is an empty directory": ({}, {"emptyDir": {}}),
    "secret": ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
    "config map": ({"configMap": {"name": "c"}}, {"configMap": {"name": "c", "defaultMode": 420}}),
    "host path": ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
    "projected": (
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        {
            "projected": {
                "defaultMode": 420,
                "sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}],
            }
        },
    ),
}


@pytest.mark.parametrize(("volume", "expect"), VOLUMES.values(), ids=VOLUMES.keys())
def test_volumes(volume, expect):
    pod = builders.stored(kinds.POD, builders.pod(volumes=[{"name": "v", **volume}]))
    assert pod["spec"]["volumes"] == [{"name": "v", **expect}]


def test_service_account_has_two_names():
    spec = builders.stored(kinds.POD, builders.pod(serviceAccount="robot"))["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("robot", "robot")


def test_deployment():
    spec = builders.stored(kinds.DEPLOYMENT, builders.deployment())["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    recreate = builders.stored(kinds.DEPLOYMENT, builders.deployment(strategy={"type": "Recreate"}))
    assert recreate["spec"]["strategy"] == {"type": "Recreate"}
    assert builders.stored(kinds.DEPLOYMENT, builders.deployment(replicas=0))["spec"]["replicas"] == 0


def test_service():
    spec = builders.stored(kinds.SERVICE, builders.service())["spec"]
    assert spec == {
        "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
    }  # fmt: skip
    node_port = builders.stored(kinds.SERVICE, builders.service(type="NodePort", sessionAffinity="ClientIP"))["spec"]
    assert node_port["externalTrafficPolicy"] == "Cluster"
    assert node_port["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}


def test_secret():
    secret = builders.of_kind(kinds.SECRET, data={"a": "eA==", "b": "eQ=="}, stringData={"b": "zz"})
    assert builders.stored(kinds.SECRET, secret) == {
        **builders.of_kind(kinds.SECRET), "type": "Opaque", "data": {"a": "eA==", "b": "eno="},
    }  # fmt: skip


def test_namespace_carries_its_name_as_a_label():
    given_labels = {"a": "b"}
    namespace = {"metadata": {"name": "team", "labels": given_labels}}
    stored = builders.stored(kinds.NAMESPACE, namespace)
    assert stored["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": "team"}
    assert stored["spec"] == {"finalizers": ["kubernetes"]}
    assert stored["status"] == {"phase": "Active"}
    assert given_labels == {"a": "b"}


def test_bindings():
    binding = builders.of_kind(
        kinds.ROLE_BINDING,
        roleRef={"kind": "Role", "name": "r"},
        subjects=[{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "default"}],
    )
    stored = builders.stored(kinds.ROLE_BINDING, binding)
    assert stored["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"
    assert [one.get("apiGroup") for one in stored["subjects"]] == ["rbac.authorization.k8s.io", None]


_containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abc"), "image": st.sampled_from(["a", "a:1", "r/a@sha256:0"])},
        optional={
            "ports": st.just([{"containerPort": 80}]),
            "resources": st.fixed_dictionaries(
                {"limits": st.dictionaries(st.sampled_from(["cpu", "memory"]), st.just("0.5"))}
            ),
            "livenessProbe": st.just({"exec": {"command": ["x"]}, "periodSeconds": 0}),
        },
    ),
    max_size=3,
)
_specs = st.fixed_dictionaries(
    {"containers": _containers},
    optional={
        "hostNetwork": st.booleans(),
        "volumes": st.just([{"name": "v"}, {"name": "w", "secret": {"secretName": "s"}}]),
        "restartPolicy": st.sampled_from(["Never", "Always"]),
    },
)


@given(_specs)
def test_defaulting_again_changes_nothing_and_keeps_what_was_said(spec):
    for kind, obj in (
        (kinds.POD, builders.pod(**spec)),
        (kinds.DEPLOYMENT, builders.deployment(template={"spec": spec})),
    ):
        once = builders.stored(kind, obj)
        twice = copy.deepcopy(once)
        assert kind.default is not None
        kind.default(twice)
        assert twice == once


@pytest.mark.parametrize("kind", list(kinds.BUILTIN), ids=lambda kind: kind.kind)
def test_defaulting_again_changes_nothing_of_any_kind(kind):
    once = builders.stored(kind, builders.of_kind(kind))
    twice = copy.deepcopy(once)
    if kind.default is not None:
        kind.default(twice)
    assert twice == once


ALWAYS_THERE = [
    pytest.param(kinds.EVENT, {}, {"source": {}, "reportingComponent": "", "reportingInstance": ""}, id="event"),
    pytest.param(kinds.EVENT, {"source": {"host": "n"}}, {"source": {"host": "n"}}, id="event with a source"),
    pytest.param(
        kinds.ENDPOINT_SLICE,
        {"endpoints": [{"addresses": ["10.0.0.1"]}]},
        {"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {}}]},
        id="endpoint slice",
    ),
    pytest.param(kinds.RESOURCE_QUOTA, {}, {"spec": {}}, id="resource quota"),
]


@pytest.mark.parametrize(("kind", "said", "told"), ALWAYS_THERE)
def test_fields_that_clients_read_without_asking(kind, said, told):
    obj = {"metadata": {"name": "a"}, **said}
    kind.default(obj)
    assert {field: obj[field] for field in told} == told
