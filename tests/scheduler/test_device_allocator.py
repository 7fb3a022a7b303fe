"""Who gets which device: requests, constraints, alternatives, counters, where devices can be used."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import devices
from steersman.meta.objects import Object
from steersman.scheduler.device_allocator import Allocator, Node
from steersman.scheduler.device_wishes import AllocationError
from steersman.scheduler.devices import DevicePlan, Devices

NODE = Node("n1", {"zone": "a"})
GPU: Object = {
    "metadata": {"name": "gpu"},
    "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.test'"}}]},
}


OWN = ("taints", "consumesCounters", "capacity", "allowMultipleAllocations", "bindsToNode", "bindingConditions")


def device(name: str, **more: Any) -> Object:
    """Keywords are attributes, but for those that a device has of its own."""
    own: Object = {key: more.pop(key) for key in OWN if key in more}
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
    return given_to(Allocator(known(*slices)).allocate({"c": wanted}, NODE))


TWO = slice_of(device("a", model="x", memory=8), device("b", model="y", memory=16))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(claim(request()), ["a"], id="the first that will do"),
        pytest.param(claim(request(count=2)), ["a", "b"], id="several"),
        pytest.param(claim(request(count=3)), None, id="too many"),
        pytest.param(claim(request(allocationMode="All")), ["a", "b"], id="all"),
        pytest.param(claim(request("one", "device.attributes['gpu.test'].memory > 8")), ["b"], id="by attribute"),
        pytest.param(claim(request("one", "'x' in device.attributes['other.test']")), None, id="no such domain"),
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
    found = Allocator(known(TWO)).allocate({"c": claim(request())}, NODE)
    assert found is not None
    assert found["c"]["nodeSelector"]["nodeSelectorTerms"] == [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    ]
    everywhere = Allocator(known(slice_of(device("a"), allNodes=True))).allocate({"c": claim(request())}, NODE)
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
    taken = Allocator(found).allocate({"other": found.claims["other"]}, NODE)
    assert taken is not None
    found.promise(DevicePlan(taken, ("other",)))
    assert Allocator(found).allocate({"c": claim(request())}, NODE) is None
    assert given_to(Allocator(found).allocate({"c": claim(request(adminAccess=True))}, NODE)) == ["a"]
    found.take_back(DevicePlan(taken, ("other",)))
    assert given_to(Allocator(found).allocate({"c": claim(request())}, NODE)) == ["a"]


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
    given = Allocator(found).allocate({"c": claim(request(), config=(mine,))}, NODE)
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
    found = Allocator(known(offered)).allocate({"c": claim(*requests)}, NODE)
    enough = len(models) >= sum(count for count, _ in asked) and all(
        models.count(model) >= sum(count for count, other in asked if other == model) for model in "xy"
    )
    assert (found is not None) == enough
    if found is not None:
        given_devices = [one.id for one in devices.held_by(found["c"])]
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


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("nonsense(", "claim c: selector #0: CEL compile error: "),
        ("device.attributes['gpu.test'].none > 8", "claim c: selector #0: CEL runtime error: no such key: none"),
    ],
)
def test_a_selector_that_goes_wrong_is_told(expression, why):
    with pytest.raises(AllocationError) as wrong:
        allocated(claim(request("one", expression)), TWO)
    assert str(wrong.value).startswith(why)


def test_all_of_a_pool_that_is_being_updated():
    with pytest.raises(AllocationError) as wrong:
        allocated(claim(request(allocationMode="All")), slice_of(device("a"), count=2))
    why = "asks for all devices, but resource pool gpu.test/n1 is currently being updated"
    assert str(wrong.value) == f"claim c, request one: {why}"
    assert allocated(claim(request(allocationMode="All")), slice_of(device("a"), count=2, nodeName="n2")) is None


def test_all_means_tainted_ones_too():
    taints = [{"key": "broken", "effect": "NoExecute"}]
    both = slice_of(device("a"), device("b", taints=taints))
    assert allocated(claim(request(allocationMode="All")), both) is None
    assert allocated(claim(request()), slice_of(device("a", taints=taints), device("b"))) == ["b"]
    assert allocated(claim(request()), slice_of(device("a", taints=[{"key": "x", "effect": "None"}]))) == ["a"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, ["a"]),
        ({}, None),
        ({"driver": "gpu.test", "pool": "n1"}, None),
        ({"device": "a"}, ["b"]),
        ({"device": "a", "driver": "other.test"}, ["a"]),
    ],
)
def test_rules_taint_devices(selector, expected):
    found = known(slice_of(device("a"), device("b")))
    spec = {"taint": {"key": "x", "effect": "NoSchedule"}}
    found.rules["r"] = {"spec": spec if selector is None else {**spec, "deviceSelector": selector}}
    assert given_to(Allocator(found).allocate({"c": claim(request())}, NODE)) == expected


def test_no_claim_holds_more_than_a_result_may_list():
    many = slice_of(*(device(f"d{number}") for number in range(40)))
    assert allocated(claim(request(count=33)), many) is None
    alternatives = [{"name": "a", "deviceClassName": "gpu", "count": 33}, {"name": "b", "deviceClassName": "gpu"}]
    assert allocated(claim({"name": "one", "firstAvailable": alternatives}), many) == ["d0"]


def test_who_has_to_be_waited_for_comes_last():
    slow = device("a", bindingConditions=["attached"])
    assert allocated(claim(request()), slice_of(slow, device("b"))) == ["b"]
    found = Allocator(known(slice_of(slow))).allocate({"c": claim(request())}, NODE)
    assert found is not None
    assert found["c"]["devices"]["results"][0]["bindingConditions"] == ["attached"]


def test_a_device_that_binds_to_the_node():
    found = Allocator(known(slice_of(device("a", bindsToNode=True), allNodes=True))).allocate(
        {"c": claim(request())}, NODE
    )
    assert found is not None
    assert found["c"]["nodeSelector"]["nodeSelectorTerms"][0]["matchFields"][0]["values"] == ["n1"]


# --- shared devices ---


def shared(name: str, **capacity: Object) -> Object:
    return device(name, allowMultipleAllocations=True, capacity=capacity)


def asking(count: int = 1, /, **requests: str) -> Object:
    return request(capacity={"requests": requests}, count=count)


def results(wanted: Object, *slices: Object) -> list[tuple[str, Any]] | None:
    found = Allocator(known(*slices)).allocate({"c": wanted}, NODE)
    if found is None:
        return None
    return [(one["device"], one.get("consumedCapacity")) for one in found["c"]["devices"]["results"]]


TEN = {"value": "10Gi"}


@pytest.mark.parametrize(
    ("capacity", "wanted", "expected"),
    [
        pytest.param(TEN, asking(), [("a", {"memory": "10Gi"})], id="whole where nothing is said"),
        pytest.param(TEN, asking(memory="4Gi"), [("a", {"memory": "4Gi"})], id="as asked"),
        pytest.param(TEN, asking(**{"gpu.test/memory": "4Gi"}), [("a", {"memory": "4Gi"})], id="with the domain"),
        pytest.param(TEN, asking(**{"other.test/memory": "4Gi"}), None, id="another domain"),
        pytest.param(TEN, asking(bandwidth="1"), None, id="no such capacity"),
        pytest.param(TEN, asking(memory="11Gi"), None, id="too much"),
        pytest.param(TEN, asking(2, memory="5Gi"), [("a", {"memory": "5Gi"})] * 2, id="twice of one"),
        pytest.param(TEN, asking(3, memory="5Gi"), None, id="overdrawn"),
        pytest.param(
            {**TEN, "requestPolicy": {"default": "1Gi", "validRange": {"min": "1Gi"}}},
            asking(),
            [("a", {"memory": "1Gi"})],
            id="by default",
        ),
        pytest.param(
            {**TEN, "requestPolicy": {"default": "2Gi", "validRange": {"min": "2Gi", "step": "2Gi", "max": "8Gi"}}},
            asking(memory="3Gi"),
            [("a", {"memory": "4Gi"})],
            id="rounded to a step",
        ),
        pytest.param(
            {**TEN, "requestPolicy": {"default": "2Gi", "validRange": {"min": "2Gi", "max": "8Gi"}}},
            asking(memory="1"),
            [("a", {"memory": "2Gi"})],
            id="at least",
        ),
        pytest.param(
            {**TEN, "requestPolicy": {"default": "2Gi", "validRange": {"min": "2Gi", "max": "8Gi"}}},
            asking(memory="9Gi"),
            None,
            id="at most",
        ),
        pytest.param(
            {**TEN, "requestPolicy": {"default": "1Gi", "validValues": ["1Gi", "4Gi", "8Gi"]}},
            asking(memory="5Gi"),
            [("a", {"memory": "8Gi"})],
            id="the next value",
        ),
        pytest.param(
            {**TEN, "requestPolicy": {"default": "1Gi", "validValues": ["1Gi", "4Gi"]}},
            asking(memory="5Gi"),
            None,
            id="no such value",
        ),
    ],
)
def test_capacity_of_a_shared_device(capacity, wanted, expected):
    assert results(claim(wanted), slice_of(shared("a", memory=capacity))) == expected


def test_a_device_that_is_not_shared_is_given_whole_to_who_asks_for_less():
    one = slice_of(device("a", capacity={"memory": TEN}))
    assert results(claim(asking(memory="4Gi")), one) == [("a", None)]
    assert results(claim(asking(memory="11Gi")), one) is None


@given(st.lists(st.integers(1, 6), max_size=8), st.integers(1, 10))
def test_capacity_is_never_overdrawn(asked, total):
    found = known(slice_of(shared("a", memory={"value": str(total)}), shared("b", memory={"value": str(total)})))
    drawn = {"a": 0, "b": 0}
    for number, amount in enumerate(asked):
        key = f"c{number}"
        found.set_claim(key, claim(asking(memory=str(amount))))
        given_now = Allocator(found).allocate({key: found.claims[key]}, NODE)
        assert (given_now is None) == all(amount > total - one for one in drawn.values())
        if given_now is not None:
            found.promise(DevicePlan(given_now, (key,)))
            [result] = given_now[key]["devices"]["results"]
            assert "shareID" in result
            drawn[result["device"]] += amount
    assert max(drawn.values()) <= total


def test_sharing_draws_a_counter_once():
    counters = [{"name": "set", "counters": {"slots": {"value": "1"}}}]
    draws = [{"counterSet": "set", "counters": {"slots": {"value": "1"}}}]
    parts = [{**shared(name, memory=TEN), "consumesCounters": draws} for name in "ab"]
    pool = slice_of(*parts, nodeName="n1", sharedCounters=counters)
    assert results(claim(asking(2, memory="5Gi")), pool) == [("a", {"memory": "5Gi"})] * 2
    assert results(claim(asking(3, memory="5Gi")), pool) is None
