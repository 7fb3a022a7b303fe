"""ResourceSlices, DeviceTaintRules and questions about pools. Source: upstream's pkg/apis/resource/validation."""

import re

from steersman.api.validation import device_capacity, device_requests, fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

DEVICES_MAX = 128
SPECIAL_DEVICES_MAX = 64  # where any has taints, counters or lists
TAINTS_MAX = 16
COUNTER_SETS_MAX = 8
COUNTERS_MAX = 32
CONSUMED_SETS_MAX = 2
VALUE_MAX = 64
PROPERTIES_MAX = 32  # attributes and capacities of a device together
POOL_MAX = 253
_PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_PLACES_OF_DEVICE = ("nodeName", "nodeSelector", "allNodes")
_VALUES = ("bool", "bools", "int", "ints", "string", "strings", "version", "versions")
_LISTS = ("bools", "ints", "strings", "versions")
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_NOT_HERE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)
_PLACE_NEEDED = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the "
    "ResourceSlice spec"
)
_PART = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_NUMBER = r"(0|[1-9]\d*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII
)


def validate_slice(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    pool = spec.get("pool") or {}
    errors = [
        *metadata.validate(new, old, namespaced=False),
        *device_requests.validate_driver(spec.get("driver"), "spec.driver"),
    ]
    errors += _pool(pool)
    errors += _one_place(spec, _PLACES, "spec")
    errors += fields.check_optional_name("spec.nodeName", spec.get("nodeName"), names.subdomain_errors)
    errors += _selector(spec.get("nodeSelector"), "spec.nodeSelector")
    if spec.get("sharedCounters") is not None and spec.get("devices") is not None:
        errors.append(fields.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    errors += _devices(spec)
    errors += _counter_sets(spec.get("sharedCounters") or [])
    if old is not None:
        before = old.get("spec") or {}
        for field in ("driver", "nodeName", "allNodes", "nodeSelector"):
            errors += fields.check_immutable(f"spec.{field}", spec.get(field), before.get(field))
        errors += fields.check_immutable("spec.pool.name", pool.get("name"), (before.get("pool") or {}).get("name"))
    return errors


def validate_taint_rule(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    taint, selector = spec.get("taint") or {}, spec.get("deviceSelector") or {}
    errors = metadata.validate(new, old, namespaced=False)
    if selector.get("driver"):
        errors += device_requests.validate_driver(selector["driver"], "spec.deviceSelector.driver")
    errors += _pool_name(selector["pool"], "spec.deviceSelector.pool") if selector.get("pool") else []
    errors += fields.check_optional_name("spec.deviceSelector.device", selector.get("device"), names.label_errors)
    if old is not None:
        errors += fields.check_immutable(
            "spec.deviceSelector", selector, (old.get("spec") or {}).get("deviceSelector") or {}
        )
    return [*errors, *_taint(taint, "spec.taint")]


def validate_pool_status_request(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = [
        *metadata.validate(new, old, namespaced=False),
        *device_requests.validate_driver(spec.get("driver"), "spec.driver"),
    ]
    if spec.get("limit") is not None and spec["limit"] <= 0:
        errors.append(fields.invalid("spec.limit", spec["limit"], "must be greater than zero"))
    return errors if old is None else [*errors, *fields.check_immutable("spec", spec, old.get("spec") or {})]


def _pool(pool: Object) -> list[FieldError]:
    errors = _pool_name(pool.get("name", ""), "spec.pool.name")
    if pool.get("resourceSliceCount", 0) <= 0:
        text = "must be greater than zero"
        errors.append(fields.invalid("spec.pool.resourceSliceCount", pool.get("resourceSliceCount", 0), text))
    if pool.get("generation", 0) < 0:
        text = "must be greater than or equal to zero"
        errors.append(fields.invalid("spec.pool.generation", pool["generation"], text))
    return errors


def _pool_name(name: str, path: str) -> list[FieldError]:
    errors = [] if name else [fields.required(path)]
    if len(name) > POOL_MAX:
        errors.append(fields.too_long(path, POOL_MAX))
    for part in name.split("/") if name else ():
        errors += fields.each_invalid(path, part, names.subdomain_errors(part))
    return errors


def _devices(spec: Object) -> list[FieldError]:
    listed, seen = spec.get("devices") or [], set[str]()
    most = SPECIAL_DEVICES_MAX if any(_is_special(one) for one in listed) else DEVICES_MAX
    if len(listed) > most:
        return [fields.too_many("spec.devices", len(listed), most)]
    errors: list[FieldError] = []
    for index, device in enumerate(listed):
        at, name = f"spec.devices[{index}]", device.get("name", "")
        errors += _device(device, at, alone=bool(spec.get("perDeviceNodeSelection")))
        if name in seen:
            errors.append(fields.duplicate(at, name))
        seen.add(name)
    return errors


def _is_special(device: Object) -> bool:
    if device.get("taints") or device.get("consumesCounters"):
        return True
    return any(one.get(field) for one in (device.get("attributes") or {}).values() for field in _LISTS)


def _device(device: Object, path: str, *, alone: bool) -> list[FieldError]:
    """`alone`: each device of the slice says for itself where it is."""
    errors = fields.check_name(f"{path}.name", device.get("name"), names.label_errors)
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    if len(attributes) + len(capacity) > PROPERTIES_MAX:
        text = f"the total number of attributes and capacities must not exceed {PROPERTIES_MAX}"
        errors.append(fields.invalid(path, len(attributes) + len(capacity), text))
    for key, value in attributes.items():
        errors += device_requests.validate_qualified_name(key, f"{path}.attributes")
        errors += _attribute(value, f"{path}.attributes[{key}]")
    for key, value in capacity.items():
        errors += device_requests.validate_qualified_name(key, f"{path}.capacity")
        shared = bool(device.get("allowMultipleAllocations"))
        errors += device_capacity.validate(value, f"{path}.capacity[{key}]", shared=shared)
    taints = device.get("taints") or []
    if len(taints) > TAINTS_MAX:
        errors.append(fields.too_many(f"{path}.taints", len(taints), TAINTS_MAX))
    for index, taint in enumerate(taints[:TAINTS_MAX]):
        errors += _taint(taint, f"{path}.taints[{index}]")
    return [*errors, *_consumption(device.get("consumesCounters") or [], path), *_place(device, path, alone=alone)]


def _attribute(value: Object, path: str) -> list[FieldError]:
    given = [field for field in _VALUES if value.get(field) is not None]
    if len(given) != 1:
        return [fields.invalid(path, value if given else "", "exactly one value must be specified")]
    [field] = given
    if field in _LISTS and not value[field]:
        return [fields.invalid(f"{path}.{field}", value[field], "must not be empty if specified")]
    errors: list[FieldError] = []
    many = [(f"{path}.{field}[{index}]", one) for index, one in enumerate(value[field])] if field in _LISTS else []
    for at, text in many or [(f"{path}.{field}", value[field])]:
        if field in ("version", "versions") and not _VERSION.fullmatch(text):
            errors.append(fields.invalid(at, text, "must be a string compatible with semver.org spec 2.0.0"))
        if isinstance(text, str) and len(text) > VALUE_MAX:
            errors.append(fields.too_long(at, VALUE_MAX))
    return errors


def _place(device: Object, path: str, *, alone: bool) -> list[FieldError]:
    given = [f"`{field}`" for field in _PLACES_OF_DEVICE if device.get(field) is not None]
    if not alone:
        return [fields.invalid(path, None, _NOT_HERE)] if given else []
    errors = _selector(device.get("nodeSelector"), f"{path}.nodeSelector")
    if not given:
        return [*errors, fields.required(path, _PLACE_NEEDED)]
    return errors if len(given) == 1 else [*errors, fields.invalid(path, "{" + ", ".join(given) + "}", _PLACE_NEEDED)]


def _selector(selector: Object | None, path: str) -> list[FieldError]:
    terms = (selector or {}).get("nodeSelectorTerms") or []
    if selector is None or len(terms) == 1:
        return []
    return [fields.invalid(f"{path}.nodeSelectorTerms", terms, "must have exactly one node selector term")]


def _counter_sets(sets: list[Object]) -> list[FieldError]:
    if len(sets) > COUNTER_SETS_MAX:
        return [fields.too_many("spec.sharedCounters", len(sets), COUNTER_SETS_MAX)]
    errors: list[FieldError] = []
    for index, one in enumerate(sets):
        errors += _counters(one, "name", f"spec.sharedCounters[{index}]")
    return errors + fields.check_unique(
        lambda index: f"spec.sharedCounters[{index}]", [one.get("name", "") for one in sets]
    )


def _consumption(listed: list[Object], path: str) -> list[FieldError]:
    where = f"{path}.consumesCounters"
    if len(listed) > CONSUMED_SETS_MAX:
        return [fields.too_many(where, len(listed), CONSUMED_SETS_MAX)]
    errors: list[FieldError] = []
    for index, one in enumerate(listed):
        errors += _counters(one, "counterSet", f"{where}[{index}]")
    return errors + fields.check_unique(
        lambda index: f"{where}[{index}]", [one.get("counterSet", "") for one in listed]
    )


def _counters(one: Object, naming: str, path: str) -> list[FieldError]:
    errors = fields.check_name(f"{path}.{naming}", one.get(naming), names.label_errors)
    counters = one.get("counters") or {}
    if not counters:
        return [*errors, fields.required(f"{path}.counters")]
    if len(counters) > COUNTERS_MAX:
        return [*errors, fields.too_many(f"{path}.counters", len(counters), COUNTERS_MAX)]
    for name in counters:
        errors += fields.each_invalid(f"{path}.counters", name, names.label_errors(name))
    return errors


def _taint(taint: Object, path: str) -> list[FieldError]:
    errors = fields.check_name(f"{path}.key", taint.get("key"), names.qualified_name_errors)
    if taint.get("value"):
        errors += fields.each_invalid(f"{path}.value", taint["value"], names.label_value_errors(taint["value"]))
    return [*errors, *fields.check_one_of(f"{path}.effect", taint.get("effect"), _EFFECTS)]


def _one_place(obj: Object, places: tuple[str, ...], path: str) -> list[FieldError]:
    given = [field for field in places if obj.get(field)]
    if len(given) == 1:
        return []
    text = "exactly one of " + ", ".join(f"`{field}`" for field in places) + " is required"
    if not given:
        return [fields.required(path, text)]
    return [
        fields.invalid(
            path, "{" + ", ".join(f"`{field}`" for field in given) + "}", f"{text}, but multiple fields are set"
        )
    ]
