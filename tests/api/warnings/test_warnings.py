"""What is valid but hardly meant: upstream's warnings, word for word."""

import pytest

from steersman.api import kinds
from tests.api import builders
from tests.apiserver import kit

C = "spec.containers[0]"
ZONE = "failure-domain.beta.kubernetes.io/zone"
ZONE_TEXT = 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'


def _container(**fields):
    return {"containers": [builders.container(**fields)]}


PODS = {
    "nothing": ({}, []),
    "old label": ({"nodeSelector": {ZONE: "a"}}, [f"spec.nodeSelector[{ZONE}]: {ZONE_TEXT}"]),
    "old label in a constraint": (
        {"topologySpreadConstraints": [{"topologyKey": ZONE, "maxSkew": 1}]},
        [f"spec.topologySpreadConstraints[0].topologyKey: {ZONE} is {ZONE_TEXT}"],
    ),
    "old volume": (
        {"volumes": [{"name": "g", "gitRepo": {"repository": "x"}}]},
        ["spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"],
    ),
    "address twice": (
        {"hostAliases": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}]}, ['spec.hostAliases[1].ip: duplicate ip "1.1.1.1"'],
    ),
    "secret twice": (
        {"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}, ['spec.imagePullSecrets[1].name: duplicate name "a"'],
    ),
    "half a byte": (
        _container(resources={"limits": {"memory": "100m"}}),
        [f'{C}.resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer'],
    ),
    "hidden variable": (
        _container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        [f'{C}.env[1]: hides previous definition of "A", which may be dropped when using apply'],
    ),
    "extended variable": (_container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "$(A):2"}]), []),
    "port twice": (
        _container(ports=[{"containerPort": 80}, {"containerPort": 80}]),
        [f"{C}.ports[1]: duplicate port definition with {C}.ports[0]"],
    ),
    "negative grace": (
        {"terminationGracePeriodSeconds": -1},
        ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "warnings"), PODS.values(), ids=list(PODS))
def test_pods(spec, warnings):
    assert kinds.POD.warnings is not None
    assert kinds.POD.warnings(builders.pod(**spec), None) == warnings
    assert kinds.POD.warnings(builders.pod(**spec), builders.pod()) == []


def test_names_that_become_host_names():
    assert kinds.POD.warnings is not None
    [text] = kinds.POD.warnings(builders.pod(name="a.b"), None)
    assert text.startswith(
        "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is "
        "recommended: [a lowercase RFC 1123 label must consist of"
    )
    assert kinds.DEPLOYMENT.warnings is not None
    [text] = kinds.DEPLOYMENT.warnings(builders.deployment(name="a.b"), None)
    assert text.startswith("metadata.name: this is used in Pod names and hostnames, which can result in surprising")


@pytest.mark.parametrize("kind", [kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.STATEFUL_SET, kinds.DAEMON_SET, kinds.JOB])
def test_templates_are_warned_of_when_they_change(kind):
    template = {"spec": {"nodeSelector": {ZONE: "a"}, **_container()}}
    old = builders.of_kind(kind, spec={"template": {"spec": _container()}})
    new = builders.of_kind(kind, spec={"template": template})
    wanted = [f"spec.template.spec.nodeSelector[{ZONE}]: {ZONE_TEXT}"]
    assert kind.warnings(new, None) == kind.warnings(new, old) == wanted
    assert kind.warnings(new, new) == []


def test_others():
    service = builders.service(clusterIP="None", sessionAffinity="ClientIP", externalName="a.b")
    assert kinds.SERVICE.warnings is not None
    assert kinds.SERVICE.warnings(service, None) == [
        "spec.SessionAffinity is ignored for headless services",
        'spec.externalName is ignored when spec.type is not "ExternalName"',
    ]
    node = builders.of_kind(kinds.NODE, spec={"externalID": "x"})
    assert kinds.NODE.warnings is not None
    assert kinds.NODE.warnings(node, None) == ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]


async def test_they_are_headers_of_the_answer():
    async with kit.Api() as api:
        await kit.with_account(api)
        answer = await api.ask("POST", kit.PODS, kit.pod("p", nodeSelector={"beta.kubernetes.io/os": "linux"}))
        text = 'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \\"kubernetes.io/os\\" instead'
        assert answer.headers["warning"] == f'299 - "{text}"'
