"""Which object is meant."""

from typing import Any

import pytest

from steersman.cluster.past import naming

WIDGETS: Any = {
    "spec": {
        "group": "example.com",
        "scope": "Cluster",
        "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wi"]},
        "versions": [{"name": "v1alpha1"}, {"name": "v1", "storage": True}],
    }
}

NAMES = [
    (("pod/web",), "/api/v1/namespaces/shop/pods/web", "Pod shop/web"),
    (("po", "web"), "/api/v1/namespaces/shop/pods/web", "Pod shop/web"),
    (("deploy/web",), "/apis/apps/v1/namespaces/shop/deployments/web", "Deployment shop/web"),
    (("Deployments.apps/web",), "/apis/apps/v1/namespaces/shop/deployments/web", "Deployment shop/web"),
    (("node/node1",), "/api/v1/nodes/node1", "Node node1"),
    (
        ("hpa/web",),
        "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web",
        "HorizontalPodAutoscaler shop/web",
    ),
    (("wi/one",), "/apis/example.com/v1/widgets/one", "Widget one"),
    (("widgets.example.com", "one"), "/apis/example.com/v1/widgets/one", "Widget one"),
]


@pytest.mark.parametrize(("words", "path", "said"), NAMES)
def test_any_name_of_a_kind_is_taken(words: tuple[str, ...], path: str, said: str) -> None:
    found = naming.named(words, "shop", [WIDGETS])
    assert (found.path, str(found)) == (path, said)


@pytest.mark.parametrize(
    "words", [("web",), ("pod/",), ("/web",), ("pod/a/b",), ("pod", "a", "b"), ("thing/web",), ("pods.apps/web",)]
)
def test_what_names_nothing_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(naming.Unknown):
        naming.named(words, "shop", [WIDGETS])
