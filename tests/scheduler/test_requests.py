"""How containers' requests add up to a pod's."""

import pytest

from steersman.meta.objects import Object
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


def running(spec_cpu, *, has="", allocated="", infeasible=False):
    status: Object = {"name": "c"}
    if has:
        status["resources"] = {"requests": {"cpu": has}}
    if allocated:
        status["allocatedResources"] = {"cpu": allocated}
    conditions = [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}] if infeasible else []
    spec = {"containers": [container(spec_cpu)]}
    return {"spec": spec, "status": {"containerStatuses": [status], "conditions": conditions}}


@pytest.mark.parametrize(
    ("pod", "expect"),
    [
        pytest.param(running("1"), 1000, id="no status yet"),
        pytest.param(running("1", has="1", allocated="1"), 1000, id="as it should be"),
        pytest.param(running("1", has="2", allocated="1"), 2000, id="shrinks"),
        pytest.param(running("2", has="1", allocated="1"), 2000, id="grows"),
        pytest.param(running("1", has="1", allocated="2"), 2000, id="more is set aside"),
        pytest.param(running("9", has="1", allocated="1", infeasible=True), 1000, id="cannot grow"),
    ],
)
def test_of_a_pod_that_is_being_resized(pod, expect):
    assert requests.of_pod(pod) == {"cpu": expect}
    assert requests.of_pod_for_scores(pod)[0] == expect
