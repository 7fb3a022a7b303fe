"""What `top` prints of metrics, as tables."""

from typing import Any

import pytest

from steersman.kubectl import usage
from steersman.kubectl.usage import Options


def pod(name: str, namespace: str = "a", **containers: tuple[str, str]) -> dict[str, Any]:
    found = [{"name": key, "usage": {"cpu": cpu, "memory": memory}} for key, (cpu, memory) in containers.items()]
    return {"metadata": {"name": name, "namespace": namespace}, "containers": found}


PODS = [pod("web", "b", main=("100m", "10Mi"), side=("1500n", "1500Ki")), pod("db", main=("2", "1Gi"))]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            Options(),
            "NAME   CPU(cores)   MEMORY(bytes)   \ndb     2000m        1024Mi          \nweb    101m         11Mi            \n",
        ),
        (Options(headers=False, sort_by="cpu"), "db    2000m   1024Mi   \nweb   101m    11Mi     \n"),
        (Options(headers=False, namespaces=True), "a     db    2000m   1024Mi   \nb     web   101m    11Mi     \n"),
        (
            Options(headers=False, containers=True),
            "db    main   2000m   1024Mi   \nweb   main   100m    10Mi     \nweb   side   1m      1Mi      \n",
        ),
        (
            Options(sum=True),
            "NAME   CPU(cores)   MEMORY(bytes)   \n"
            "db     2000m        1024Mi          \n"
            "web    101m         11Mi            \n"
            "       ________     ________        \n"
            "       2101m        1035Mi          \n",
        ),
    ],
    ids=str,
)
def test_pods(options: Options, expected: str) -> None:
    assert usage.pods(PODS, options) == expected


def test_no_pods_are_no_headers_either() -> None:
    assert usage.pods([], Options()) == ""


def test_nodes_with_their_share_and_those_without_metrics() -> None:
    metrics = [{"metadata": {"name": "n1"}, "usage": {"cpu": "500m", "memory": "1Gi"}}]
    available = {"n1": {"cpu": "2", "memory": "4Gi"}, "n2": {"cpu": "2"}}
    assert usage.nodes(metrics, available, Options()) == (
        "NAME   CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)   \n"
        "n1     500m         25%         1024Mi          25%         \n"
        "n2     <unknown>    <unknown>   <unknown>       <unknown>   \n"
    )
