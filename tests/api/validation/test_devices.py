"""What may be said of devices, and asked of them."""

from typing import Any

import pytest

from steersman.api.validation import device_slices, devices
from steersman.meta.objects import Object

CLASS = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}


def claim(*requests: Object, **more: Any) -> Object:
    listed = list(requests) or [{"name": "one", "exactly": CLASS}]
    return {"metadata": {"name": "c", "namespace": "default"}, "spec": {"devices": {"requests": listed, **more}}}


def asking(**more: Any) -> Object:
    return {"name": "one", "exactly": {**CLASS, **more}}


def cel(text: str) -> Object:
    return {"cel": {"expression": text}}


def told(errors) -> list[str]:
    return [str(one) for one in errors]


EXACTLY = "spec.devices.requests[0].exactly"
UNDECLARED = (
    "compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')\n | nobody\n | ^"
)
CLAIMS = {
    "plain": (claim(), []),
    "a selector": (claim(asking(selectors=[cel("device.attributes['x.y'].z > 1")])), []),
    "no such name": (
        claim(asking(selectors=[cel("nobody")])),
        [f'{EXACTLY}.selectors[0].cel.expression: Invalid value: "nobody": {UNDECLARED}'],
    ),
    "no yes or no": (
        claim(asking(selectors=[cel("device.driver")])),
        [f'{EXACTLY}.selectors[0].cel.expression: Invalid value: "device.driver": must evaluate to bool'],
    ),
    "too many selectors": (
        claim(asking(selectors=[cel("true")] * 33)),
        [f"{EXACTLY}.selectors: Too many: 33: must have at most 32 items"],
    ),
    "capacity by another's name": (claim(asking(capacity={"requests": {"x.y/memory": "1Gi"}})), []),
    "capacity without a name": (
        claim(asking(capacity={"requests": {"x.y/": "1Gi"}})),
        [f'{EXACTLY}.capacity.requests: Invalid value: "": the name must not be empty'],
    ),
    "tolerates all": (claim(asking(tolerations=[{"operator": "Exists"}])), []),
    "tolerates a value, whatever it is": (
        claim(asking(tolerations=[{"operator": "Exists", "key": "k", "value": "v"}])),
        [f'{EXACTLY}.tolerations[0].value: Invalid value: "v": must be empty for operator `Exists`'],
    ),
    "tolerates somehow": (
        claim(asking(tolerations=[{"operator": "Like", "key": "k", "effect": "None"}])),
        [
            f'{EXACTLY}.tolerations[0].operator: Unsupported value: "Like": supported values: "Equal", "Exists"',
            f'{EXACTLY}.tolerations[0].effect: Unsupported value: "None": supported values: "NoExecute", "NoSchedule"',
        ],
    ),
    "no constraint": (
        claim(constraints=[{"requests": ["one"]}]),
        [
            "spec.devices.constraints[0]: Required value: "
            'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
        ],
    ),
    "a constraint on nobody's attribute": (
        claim(constraints=[{"distinctAttribute": "model"}]),
        [
            'spec.devices.constraints[0].distinctAttribute: Invalid value: "model": '
            "a fully qualified name must be a domain and a name separated by a slash"
        ],
    ),
    "configuration that is none": (
        claim(config=[{"opaque": {"driver": "x.y", "parameters": ["a"]}}]),
        [
            'spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object',
        ],
    ),
}


@pytest.mark.parametrize(("obj", "expect"), CLAIMS.values(), ids=CLAIMS.keys())
def test_claims(obj, expect):
    assert told(devices.validate_claim(obj, None)) == expect


def test_a_stored_selector_is_not_read_again():
    old = {"metadata": {"name": "c", "resourceVersion": "1"}, "spec": {"selectors": [cel("nobody")]}}
    assert told(devices.validate_class(old, old)) == []
    new = {**old, "spec": {"selectors": [cel("nobody"), cel("true")]}}
    assert len(devices.validate_class(new, old)) == 1


@pytest.mark.parametrize(
    ("told_of", "expect"),
    [
        ([{"driver": "d", "pool": "p", "device": "a"}], []),
        ([{"driver": "d", "pool": "p", "device": "s", "shareID": "1"}], []),
        (
            [{"driver": "d", "pool": "p", "device": "s"}],
            ['status.devices[0]: Invalid value: "d/p/s": must be an allocated device in the claim'],
        ),
        (
            [{"driver": "d", "pool": "p", "device": "a"}] * 2,
            ['status.devices[1]: Duplicate value: "d/p/a"'],
        ),
        (
            [{"driver": "d", "pool": "p", "device": "a", "conditions": [{}] * 9}],
            ["status.devices[0].conditions: Too many: 9: must have at most 8 items"],
        ),
    ],
)
def test_drivers_tell_of_devices_that_the_claim_has(told_of, expect):
    results = [
        {"request": "one", "driver": "d", "pool": "p", "device": "a"},
        {"request": "one", "driver": "d", "pool": "p", "device": "s", "shareID": "1"},
    ]
    old = {**claim(), "status": {"allocation": {"devices": {"results": results}}}}
    old["metadata"]["resourceVersion"] = "1"
    new = {**old, "status": {**old["status"], "devices": told_of}}
    assert told(devices.validate_claim(new, old)) == expect


# --- slices ---


def offering(*listed: Object, **more: Any) -> Object:
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    spec: Object = {"driver": "x.y", "pool": pool, "nodeName": "n", **more}
    return {"metadata": {"name": "s"}, "spec": spec | ({"devices": list(listed)} if listed else {})}


def device(name: str = "d", **more: Any) -> Object:
    return {"name": name, **more}


def policy(value: str = "10", **more: Any) -> Object:
    return device(allowMultipleAllocations=True, capacity={"memory": {"value": value, "requestPolicy": more}})


AT = "spec.devices[0]"
POLICY = f"{AT}.capacity[memory].requestPolicy"
TAINT = {"key": "k", "effect": "NoSchedule"}
SLICES = {
    "plain": (offering(device(attributes={"a": {"int": 1}, "b.c/d": {"version": "1.0.0-rc.1"}})), []),
    "no value": (
        offering(device(attributes={"a": {}})),
        [f'{AT}.attributes[a]: Invalid value: "": exactly one value must be specified'],
    ),
    "no version": (
        offering(device(attributes={"a": {"version": "1.0"}})),
        [f'{AT}.attributes[a].version: Invalid value: "1.0": must be a string compatible with semver.org spec 2.0.0'],
    ),
    "a long text": (
        offering(device(attributes={"a": {"string": "x" * 65}})),
        [f"{AT}.attributes[a].string: Too long: may not be more than 64 bytes"],
    ),
    "an empty list": (
        offering(device(attributes={"a": {"ints": []}})),
        [f"{AT}.attributes[a].ints: Invalid value: []: must not be empty if specified"],
    ),
    "the same name twice": (offering(device(), device()), ['spec.devices[1]: Duplicate value: "d"']),
    "too many with taints": (
        offering(*(device(f"d{number}", taints=[TAINT]) for number in range(65))),
        ["spec.devices: Too many: 65: must have at most 64 items"],
    ),
    "counters and devices": (
        offering(device(), sharedCounters=[{"name": "c", "counters": {"a": {"value": "1"}}}]),
        ['spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed'],
    ),
    "a set without counters": (
        offering(sharedCounters=[{"name": "c"}]),
        ["spec.sharedCounters[0].counters: Required value"],
    ),
    "drawn from three sets": (
        offering(device(consumesCounters=[{"counterSet": c, "counters": {"a": {"value": "1"}}} for c in "abc"])),
        [f"{AT}.consumesCounters: Too many: 3: must have at most 2 items"],
    ),
    "a place of its own where the slice has one": (
        offering(device(nodeName="n")),
        [
            f"{AT}: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if "
            "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
        ],
    ),
    "shared": (offering(policy(default="2", validRange={"min": "1", "max": "9", "step": "1"})), []),
    "a policy for one": (
        offering({**policy(default="2"), "allowMultipleAllocations": False}),
        [f"{POLICY}: Forbidden: allowMultipleAllocations must be true"],
    ),
    "no default": (
        offering(policy(validValues=["1"])),
        [f"{POLICY}.default: Required value: required when validValues is defined"],
    ),
    "two policies": (
        offering(policy(default="1", validValues=["1"], validRange={"min": "1"})),
        [
            f"{POLICY}: Forbidden: exactly one policy can be specified, "
            'cannot specify "validValues" and "validRange" at the same time'
        ],
    ),
    "values out of order": (
        offering(policy(default="5", validValues=["2", "1", "11"])),
        [
            f'{POLICY}.validValues[1]: Invalid value: "1": values must be sorted in ascending order',
            f'{POLICY}.validValues[2]: Invalid value: "11": option is larger than capacity value: 10',
            f'{POLICY}.validValues: Invalid value: "5": default value is not valid according to the requestPolicy',
        ],
    ),
    "a range out of bounds": (
        offering(policy(default="1", validRange={"min": "2", "max": "11", "step": "4"})),
        [
            f'{POLICY}.validRange.default: Invalid value: "1": default is less than min: 2',
            f'{POLICY}.validRange.max: Invalid value: "11": max is larger than capacity value: 10',
            f'{POLICY}.validRange.step: Invalid value: "1": value is not a multiple of a given step (4) from (2)',
            f'{POLICY}.validRange.step: Invalid value: "11": value is not a multiple of a given step (4) from (2)',
        ],
    ),
}


@pytest.mark.parametrize(("obj", "expect"), SLICES.values(), ids=SLICES.keys())
def test_slices(obj, expect):
    assert told(device_slices.validate_slice(obj, None)) == expect
