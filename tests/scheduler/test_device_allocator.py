"""Who gets which device: requests, constraints, alternatives, counters, where devices can be used."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import devices
from steersman.meta.objects import Object
from steersman.scheduler.device_allocator import Allocator, Node
from steersman.scheduler.devices import DevicePlan, Devices

NODE = Node("n1", {"zone": "a"})
GPU: Object = {
    "metadata": {"name": "gpu"},
    "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.test'"}}]},
}


def device(name: str, **more: Any) -> Object:
    """Keywords are attributes, but for those that a device has of its own."""
    own: Object = {key: more.pop(key) for key in ("taints", "consumesCounters", "capacity") if key in more}
    kinds = {str: "string", bool: "bool", int: "int"}
    attributes = {key: {kinds[type(value)]: value} for key, value in more.items()}
    return {"name": name, "attributes": attributes, **own}


def slice_of(
    *found: Object, pool: str = "n1", generation: int = 1, count: int = 1, name: str = "s1", **spec: Any
) -> Object:
    where = spec or {"nodeName": "n1"}
    pool_of = {"name": pool, "generation": generation, "resourceSliceCount": count}
    return {
        "metadata": {"name": name},
        "spec": {"driver": "gpu.test", "pool": pool_of, "devices": list(found), **where},
    }


def known(*slices: Object, **claims: Object) -> Devices:
    found = Devices()
    for number, one in enumerate(slices):
        found.set_slice(f"{one['metadata']['name']}-{number}", one)
    found.classes["gpu"] = GPU
    for key, claim in claims.items():
        found.set_claim(key, claim)
    return found


def claim(*requests: Object, constraints: tuple[Object, ...] = (), config: tuple[Object, ...] = ()) -> Object:
    asked = {"requests": list(requests), "constraints": list(constraints), "config": list(config)}
    return {"metadata": {"name": "c", "namespace": "default"}, "spec": {"devices": asked}}


def request(name: str = "one", *expressions: str, **more: Any) -> Object:
    selectors = [{"cel": {"expression": text}} for text in expressions]
    return {"name": name, "exactly": {"deviceClassName": "gpu", "selectors": selectors, **more}}


def given_to(found: dict[str, Object] | None, key: str = "c") -> list[str] | None:
    return None if found is None else [one["device"] for one in found[key]["devices"]["results"]]


def allocated(wanted: Object, *slices: Object) -> list[str] | None:
    return given_to(Allocator(known(*slices), NODE).allocate({"c": wanted}))


TWO = slice_of(device("a", model="x", memory=8), device("b", model="y", memory=16))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(claim(request()), ["a"], id="the first that will do"),
        pytest.param(claim(request(count=2)), ["a", "b"], id="several"),
        pytest.param(claim(request(count=3)), None, id="too many"),
        pytest.param(claim(request(allocationMode="All")), ["a", "b"], id="all"),
        pytest.param(claim(request("one", "device.attributes['gpu.test'].memory > 8")), ["b"], id="by attribute"),
        pytest.param(claim(request("one", "device.attributes['gpu.test'].none > 8")), None, id="no such attribute"),
        pytest.param(claim(request("one", "device.attributes['other.test'].memory > 8")), None, id="no such domain"),
        pytest.param(claim(request("one", "nonsense(")), None, id="no expression"),
        pytest.param(
            claim(request("one"), request("two", "device.attributes['gpu.test'].model == 'x'")),
            ["b", "a"],
            id="backtracking",
        ),
        pytest.param(
            claim(request(count=2), constraints=({"matchAttribute": "gpu.test/model"},)), None, id="nothing in common"
        ),
        pytest.param(
            claim(request(count=2), constraints=({"distinctAttribute": "gpu.test/model"},)),
            ["a", "b"],
            id="all different",
        ),
        pytest.param(
            claim(
                {
                    "name": "one",
                    "firstAvailable": [
                        {"name": "big", "deviceClassName": "gpu", "count": 3},
                        {"name": "small", "deviceClassName": "gpu"},
                    ],
                }
            ),
            ["a"],
            id="the second choice",
        ),
    ],
)
def test_requests(wanted, expected):
    assert allocated(wanted, TWO) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"nodeName": "n1"}, ["a"]),
        ({"nodeName": "n2"}, None),
        ({"allNodes": True}, ["a"]),
        (
            {
                "nodeSelector": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
                }
            },
            ["a"],
        ),
        (
            {
                "nodeSelector": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}]
                }
            },
            None,
        ),
    ],
)
def test_where_devices_are(where, expected):
    assert allocated(claim(request()), slice_of(device("a"), **where)) == expected


def test_the_allocation_says_where_it_can_be_used():
    found = Allocator(known(TWO), NODE).allocate({"c": claim(request())})
    assert found is not None
    assert found["c"]["nodeSelector"]["nodeSelectorTerms"] == [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    ]
    everywhere = Allocator(known(slice_of(device("a"), allNodes=True)), NODE).allocate({"c": claim(request())})
    assert everywhere is not None
    assert "nodeSelector" not in everywhere["c"]


def test_only_complete_pools_of_the_newest_generation():
    half = slice_of(device("a"), count=2)
    assert allocated(claim(request()), half) is None
    assert allocated(claim(request(count=2)), half, slice_of(device("b"), count=2)) == ["a", "b"]
    assert allocated(claim(request()), slice_of(device("old")), slice_of(device("new"), generation=2)) == ["new"]


def test_tainted_devices_want_a_toleration():
    tainted = slice_of(device("a", taints=[{"key": "broken", "effect": "NoSchedule"}]))
    assert allocated(claim(request()), tainted) is None
    tolerations = [{"key": "broken", "operator": "Exists"}]
    assert allocated(claim(request(tolerations=tolerations)), tainted) == ["a"]


def test_a_device_is_given_once_unless_it_is_only_looked_at():
    found = known(slice_of(device("a")), other=claim(request()))
    taken = Allocator(found, NODE).allocate({"other": found.claims["other"]})
    assert taken is not None
    found.promise(DevicePlan(taken, ("other",)))
    assert Allocator(found, NODE).allocate({"c": claim(request())}) is None
    assert given_to(Allocator(found, NODE).allocate({"c": claim(request(adminAccess=True))})) == ["a"]
    found.take_back(DevicePlan(taken, ("other",)))
    assert given_to(Allocator(found, NODE).allocate({"c": claim(request())})) == ["a"]


def test_parts_of_a_device_share_its_counters():
    def part(name: str, memory: str) -> Object:
        return device(name, consumesCounters=[{"counterSet": "gpu-0", "counters": {"memory": {"value": memory}}}])

    counters = [{"name": "gpu-0", "counters": {"memory": {"value": "40Gi"}}}]
    whole = slice_of(
        part("whole", "40Gi"), part("half-1", "20Gi"), part("half-2", "20Gi"), nodeName="n1", sharedCounters=counters
    )
    assert allocated(claim(request(count=2)), whole) == ["half-1", "half-2"]
    assert allocated(claim(request(count=3)), whole) is None


def test_configuration_of_the_class_comes_first():
    found = known(TWO)
    opaque = {"driver": "gpu.test", "parameters": {"a": 1}}
    found.classes["gpu"] = {**GPU, "spec": {**GPU["spec"], "config": [{"opaque": opaque}]}}
    mine = {"requests": ["one"], "opaque": {"driver": "gpu.test", "parameters": {"a": 2}}}
    given = Allocator(found, NODE).allocate({"c": claim(request(), config=(mine,))})
    assert given is not None
    assert given["c"]["devices"]["config"] == [
        {"source": "FromClass", "requests": ["one"], "opaque": opaque},
        {"source": "FromClaim", **mine},
    ]


@given(
    st.lists(st.sampled_from("xyz"), max_size=6),
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["", "x", "y"])), min_size=1, max_size=3),
)
def test_no_device_twice_and_every_request_has_its_own(models, asked):
    offered = slice_of(*(device(f"d{number}", model=model) for number, model in enumerate(models)))
    requests = [
        request(f"r{number}", *([f"device.attributes['gpu.test'].model == '{model}'"] if model else []), count=count)
        for number, (count, model) in enumerate(asked)
    ]
    found = Allocator(known(offered), NODE).allocate({"c": claim(*requests)})
    enough = len(models) >= sum(count for count, _ in asked) and all(
        models.count(model) >= sum(count for count, other in asked if other == model) for model in "xy"
    )
    assert (found is not None) == enough
    if found is not None:
        given_devices = [device for device, _ in devices.devices_of(found["c"])]
        assert len(given_devices) == len(set(given_devices)) == sum(count for count, _ in asked)


def test_attributes_and_capacities_as_expressions_see_them():
    one = {
        "name": "a",
        "attributes": {"version": {"version": "1.2.3"}, "other.test/flag": {"bool": True}},
        "capacity": {"memory": {"value": "8Gi"}},
    }
    for text in (
        "device.attributes['gpu.test'].version.isGreaterThan(semver('1.0.0'))",
        "device.attributes['other.test'].flag",
        "device.capacity['gpu.test'].memory.compareTo(quantity('8Gi')) == 0",
        "!('none' in device.attributes['missing.test'])",
    ):
        assert devices.matches(text, "gpu.test", one), text
