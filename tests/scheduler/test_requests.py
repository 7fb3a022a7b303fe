"""How containers' requests add up to a pod's."""

import pytest

from steersman.scheduler import requests


def container(cpu="", memory="", **more):
    asked = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"name": "c", "resources": {"requests": asked}, **more}


SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "expect"),
    [
        pytest.param({"containers": [container()]}, {}, id="nothing"),
        pytest.param(
            {"containers": [container("100m", "1Ki"), container("0.5")]}, {"cpu": 600, "memory": 1024}, id="sum"
        ),
        pytest.param(
            {"containers": [container("1")], "initContainers": [container("3")]}, {"cpu": 3000}, id="init peak"
        ),
        pytest.param(
            {"containers": [container("1")], "initContainers": [container("1", **SIDECAR), container("3")]},
            {"cpu": 4000},
            id="init beside an earlier sidecar",
        ),
        pytest.param(
            {"containers": [container("2")], "initContainers": [container("3"), container("1", **SIDECAR)]},
            {"cpu": 3000},
            id="sidecar beside containers",
        ),
        pytest.param({"containers": [container("1")], "overhead": {"cpu": "250m"}}, {"cpu": 1250}, id="overhead"),
        pytest.param(
            {"containers": [container("1", "1Mi")], "resources": {"requests": {"cpu": "3"}}},
            {"cpu": 3000, "memory": 1 << 20},
            id="pod level",
        ),
    ],
)
def test_of_pod(spec, expect):
    assert requests.of_pod({"spec": spec}) == expect


def test_scores_count_containers_that_ask_for_nothing():
    spec = {"containers": [container(), container("1", "1Gi")]}
    assert requests.of_pod_for_scores({"spec": spec}) == (1100, (200 << 20) + (1 << 30))
