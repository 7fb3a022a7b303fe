"""`allocatedResourcesStatus`: what pods show of their devices."""

from steersman.kubelet import resource_health
from steersman.kubelet.resource_health import Device
from tests.kubelet import world

GIVEN: dict[str, dict[str, tuple[str, ...]]] = {
    "main": {"a.com/x": ("2", "1"), "a.com/y": ("1",)},
    "other": {"a.com/x": ("3",)},
}


def test_of_plugins():
    told = {"a.com/x": {"1": "Healthy", "2": "Unhealthy", "3": "on fire"}}
    assert resource_health.of_plugins(GIVEN, told) == {
        "main": [
            {"name": "a.com/x", "resources": [healthy("1"), unhealthy("2")]},
            {"name": "a.com/y", "resources": [healthy("1")]},  # nothing told: upstream takes it for healthy
        ],
        "other": [{"name": "a.com/x", "resources": [unhealthy("3")]}],
    }


def test_of_claims():
    known = {
        ("c", ""): [Device("1", "Healthy"), Device("2", "Unknown")],
        ("d", "r"): [Device("3", "Unhealthy", "too hot")],
        ("gone", ""): [],
    }
    claims = [{"name": "c"}, {"name": "d", "request": "r"}, {"name": "gone"}]
    pod = {"spec": {"containers": [world.container(resources={"claims": claims}), world.container(name="other")]}}
    found = resource_health.of_claims(pod, lambda claim, request: known[claim, request])
    unknown = {"resourceID": "2", "health": "Unknown"}
    assert found == {
        "main": [
            {"name": "claim:c", "resources": [healthy("1"), unknown]},
            {"name": "claim:d/r", "resources": [{**unhealthy("3"), "message": "too hot"}]},
        ]
    }
    both = resource_health.together(found, {"main": [{"name": "x"}], "other": [{"name": "y"}]})
    assert both == {"main": [*found["main"], {"name": "x"}], "other": [{"name": "y"}]}


def healthy(device):
    return {"resourceID": device, "health": "Healthy"}


def unhealthy(device):
    return {"resourceID": device, "health": "Unhealthy"}
