"""What words mean to kubectl, over documents as a server sends them."""

import pytest

from steersman.kubectl import discovery
from steersman.kubectl.discovery import Discovery
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object


def kind(
    name: str, plural: str, *, short: tuple[str, ...] = (), scope: str = "Namespaced", categories: tuple[str, ...] = ()
) -> Object:
    return {
        "resource": plural,
        "responseKind": {"group": "", "version": "", "kind": name},
        "scope": scope,
        "singularResource": name.lower(),
        "shortNames": list(short),
        "verbs": ["get", "list"],
        "categories": list(categories),
    }


def group(name: str, **versions: list[Object]) -> Object:
    return {
        "metadata": {"name": name},
        "versions": [
            {"version": version, "resources": kinds, "freshness": "Current"} for version, kinds in versions.items()
        ],
    }


ALL = ("all",)
GROUPS = [
    group(
        "",
        v1=[
            kind("Pod", "pods", short=("po",), categories=ALL),
            kind("Event", "events", short=("ev",)),
            kind("Node", "nodes", short=("no",), scope="Cluster"),
        ],
    ),
    group("apps", v1=[kind("Deployment", "deployments", short=("deploy",), categories=ALL)]),
    group(
        "autoscaling",
        v2=[kind("HorizontalPodAutoscaler", "horizontalpodautoscalers", short=("hpa",), categories=ALL)],
        v1=[kind("HorizontalPodAutoscaler", "horizontalpodautoscalers", short=("hpa",), categories=ALL)],
    ),
    group("events.k8s.io", v1=[kind("Event", "events", short=("ev",))]),
    group("metrics.k8s.io", v1beta1=[kind("PodMetrics", "pods")]),
    group("empty.example"),
]


@pytest.fixture
def served() -> Discovery:
    return discovery.from_aggregated(GROUPS)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("pods", "v1/pods"),
        ("pod", "v1/pods"),
        ("po", "v1/pods"),
        ("Pod", "v1/pods"),
        ("PODS", "v1/pods"),
        ("pods.v1.", "v1/pods"),
        ("Pod.v1.", "v1/pods"),
        ("pods.metrics.k8s.io", "metrics.k8s.io/v1beta1/pods"),
        ("pods.v1beta1.metrics.k8s.io", "metrics.k8s.io/v1beta1/pods"),
        ("PodMetrics.metrics.k8s.io", "metrics.k8s.io/v1beta1/pods"),
        ("deploy", "apps/v1/deployments"),
        ("deploy.app", "apps/v1/deployments"),
        ("deployments.apps", "apps/v1/deployments"),
        ("hpa", "autoscaling/v2/horizontalpodautoscalers"),
        ("hpa.v1.autoscaling", "autoscaling/v1/horizontalpodautoscalers"),
        ("hpa.autoscal", "autoscaling/v2/horizontalpodautoscalers"),
        ("events", "v1/events"),
        ("ev.events.k8s.io", "events.k8s.io/v1/events"),
    ],
)
def test_what_a_word_means(served: Discovery, word: str, meant: str) -> None:
    found = served.find(word)
    assert f"{found.api_version}/{found.plural}" == meant


@pytest.mark.parametrize("word", ["", "nope", "pods.nope", "deployments.v1", "deployments.v2.nope"])
def test_what_is_no_type(served: Discovery, word: str) -> None:
    with pytest.raises(CommandError) as refused:
        served.find(word)
    assert str(refused.value) == f'the server doesn\'t have a resource type "{word.partition(".")[0]}"'


def test_a_short_name_of_two_kinds_is_told(served: Discovery) -> None:
    told: list[str] = []
    served.note = told.append
    served.find("ev")
    served.find("po")
    assert told == ['short name "ev" could also match lower priority resource events.events.k8s.io']


def test_a_category_stands_for_its_kinds_in_preferred_versions(served: Discovery) -> None:
    assert [one.api_version + "/" + one.plural for one in served.category("all")] == [
        "v1/pods",
        "apps/v1/deployments",
        "autoscaling/v2/horizontalpodautoscalers",
    ]
    assert served.category("pods") == []


def test_paths(served: Discovery) -> None:
    assert served.find("po").path("ns", "a", "log") == "/api/v1/namespaces/ns/pods/a/log"
    assert served.find("deploy").path() == "/apis/apps/v1/deployments"
    assert served.find("no").path("ns", "a") == "/api/v1/nodes/a"


def test_older_servers_say_the_same_in_lists(served: Discovery) -> None:
    listed = {
        "resources": [
            {
                "name": "deployments",
                "kind": "Deployment",
                "singularName": "deployment",
                "namespaced": True,
                "shortNames": ["deploy"],
                "verbs": ["get", "list"],
                "categories": ["all"],
            },
            {"name": "deployments/scale", "kind": "Scale", "group": "autoscaling", "version": "v1", "namespaced": True},
        ]
    }
    (found,) = discovery.from_list("apps", "v1", listed)
    assert found == served.find("deploy")._replace(subresources=("scale",))


def test_what_a_server_does_not_know_at_the_moment_is_told() -> None:
    stale = group("metrics.k8s.io", v1beta1=[])
    stale["versions"][0]["freshness"] = "Stale"
    (failure,) = discovery.from_aggregated([*GROUPS[:1], stale]).failures()
    assert str(failure) == (
        "unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: "
        "stale GroupVersion discovery: metrics.k8s.io/v1beta1"
    )
