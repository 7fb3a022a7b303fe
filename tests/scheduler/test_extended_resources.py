"""Extended resources that drivers offer as devices: which requests stand for them, and for which container."""

import pytest

from steersman.scheduler import extended_resources

GPU, NIC = "x.io/gpu", "x.io/nic"
CLASSES = {GPU: "gpu", NIC: "nic"}


def container(name, restart="", **asked):
    requests = {{"gpu": GPU, "nic": NIC, "cpu": "cpu"}[key]: str(count) for key, count in asked.items()}
    return {"name": name, "resources": {"requests": requests}, **({"restartPolicy": restart} if restart else {})}


def made(*containers, init=(), resources=(GPU, NIC)):
    """(request, class, count) of each request, and (container, request) of each mapping."""
    pod = {"spec": {"containers": list(containers), "initContainers": list(init)}}
    uses = extended_resources.uses_of(pod)
    asked = {use.resource for use in uses}
    requests, mappings = extended_resources.requests(uses, [one for one in resources if one in asked], CLASSES)
    found = [(one["name"], one["exactly"]["deviceClassName"], one["exactly"]["count"]) for one in requests]
    return found, [(one["containerName"], one["requestName"]) for one in mappings]


SIDECAR = "Always"
CASES = {
    "one": ([container("a", gpu=2)], [], [("container-0-request-0", "gpu", 2)], [("a", "container-0-request-0")]),
    "named by its place among all": (
        [container("a", cpu=1, nic=1, gpu=1)],
        [],
        [("container-0-request-1", "gpu", 1), ("container-0-request-2", "nic", 1)],
        [("a", "container-0-request-1"), ("a", "container-0-request-2")],
    ),
    "each its own": (
        [container("a", gpu=1), container("b", gpu=1)],
        [],
        [("container-0-request-0", "gpu", 1), ("container-1-request-0", "gpu", 1)],
        [("a", "container-0-request-0"), ("b", "container-1-request-0")],
    ),
    "before the others start": (
        [container("a", gpu=2)],
        [container("i", gpu=1)],
        [("container-1-request-0", "gpu", 2)],
        [("a", "container-1-request-0"), ("i", "container-1-request-0")],
    ),
    "more than the others": (
        [container("a", gpu=1)],
        [container("i", gpu=3)],
        [("container-1-request-0", "gpu", 1), ("container-0-request-0", "gpu", 2)],
        [("a", "container-1-request-0"), ("i", "container-1-request-0"), ("i", "container-0-request-0")],
    ),
    "not from a sidecar that runs already": (
        [container("a")],
        [container("s", SIDECAR, gpu=1), container("i", gpu=1)],
        [("container-0-request-0", "gpu", 1), ("container-1-request-0", "gpu", 1)],
        [("s", "container-0-request-0"), ("i", "container-1-request-0")],
    ),
    "one after the other": (
        [container("a")],
        [container("i", gpu=1), container("j", gpu=1)],
        [("container-0-request-0", "gpu", 1)],
        [("i", "container-0-request-0"), ("j", "container-0-request-0")],
    ),
}


@pytest.mark.parametrize(("containers", "init", "requests", "mappings"), CASES.values(), ids=CASES.keys())
def test_requests(containers, init, requests, mappings):
    assert made(*containers, init=init) == (requests, mappings)


@pytest.mark.parametrize(
    ("name", "expect"),
    [
        (GPU, True),
        ("deviceclass.resource.kubernetes.io/gpu", True),
        ("cpu", False),
        ("hugepages-2Mi", False),
        ("kubernetes.io/x", False),
        ("requests.x.io/gpu", False),
    ],
)
def test_what_is_extended(name, expect):
    assert extended_resources.is_extended(name) == expect


def test_the_newest_class_stands_for_a_resource():
    def found(name, stamp, resource=GPU):
        return {"metadata": {"name": name, "creationTimestamp": stamp}, "spec": {"extendedResourceName": resource}}

    made_at = {"a": "2026-01-01", "b": "2026-01-02", "c": "2026-01-02"}
    classes = {name: found(name, stamp) for name, stamp in made_at.items()}
    by_resource = extended_resources.classes_by_resource(classes)
    assert by_resource[GPU] == "b"
    assert by_resource["deviceclass.resource.kubernetes.io/c"] == "c"
