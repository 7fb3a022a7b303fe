"""ResourceSlices, DeviceTaintRules and questions about pools. Source: upstream's pkg/apis/resource/validation."""

from steersman.api.validation import devices, fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

DEVICES_MAX = 128
PROPERTIES_MAX = 32  # attributes and capacities of a device together
POOL_MAX = 253
_PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_PLACES_OF_DEVICE = ("nodeName", "nodeSelector", "allNodes")
_VALUES = ("bool", "bools", "int", "ints", "string", "strings", "version", "versions")
_EFFECTS = ("NoExecute", "NoSchedule", "None")


def validate_slice(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    pool = spec.get("pool") or {}
    errors = [
        *metadata.validate(new, old, namespaced=False),
        *devices.validate_driver(spec.get("driver"), "spec.driver"),
    ]
    errors += _pool(pool)
    errors += _one_place(spec, _PLACES, "spec")
    errors += fields.check_optional_name("spec.nodeName", spec.get("nodeName"), names.subdomain_errors)
    listed = spec.get("devices") or []
    if len(listed) > DEVICES_MAX:
        errors.append(fields.too_many("spec.devices", len(listed), DEVICES_MAX))
    seen: set[str] = set()
    for index, device in enumerate(listed):
        errors += _device(device, seen, f"spec.devices[{index}]", alone=bool(spec.get("perDeviceNodeSelection")))
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
        errors += devices.validate_driver(selector["driver"], "spec.deviceSelector.driver")
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
        *devices.validate_driver(spec.get("driver"), "spec.driver"),
    ]
    if spec.get("limit") is not None and spec["limit"] <= 0:
        errors.append(fields.invalid("spec.limit", spec["limit"], "must be greater than zero"))
    return errors if old is None else [*errors, *fields.check_immutable("spec", spec, old.get("spec") or {})]


def _pool(pool: Object) -> list[FieldError]:
    name, path = pool.get("name", ""), "spec.pool.name"
    errors = [] if name else [fields.required(path)]
    if len(name) > POOL_MAX:
        errors.append(fields.too_long(path, POOL_MAX))
    for part in name.split("/") if name else ():
        errors += fields.each_invalid(path, part, names.subdomain_errors(part))
    if pool.get("resourceSliceCount", 0) <= 0:
        text = "must be greater than zero"
        errors.append(fields.invalid("spec.pool.resourceSliceCount", pool.get("resourceSliceCount", 0), text))
    if pool.get("generation", 0) < 0:
        text = "must be greater than or equal to zero"
        errors.append(fields.invalid("spec.pool.generation", pool["generation"], text))
    return errors


def _device(device: Object, seen: set[str], path: str, *, alone: bool) -> list[FieldError]:
    """`alone`: each device of the slice says for itself where it is."""
    name = device.get("name")
    errors = fields.check_name(f"{path}.name", name, names.label_errors)
    if name in seen:
        errors.append(fields.duplicate(f"{path}.name", name))
    seen.add(name or "")
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    if len(attributes) + len(capacity) > PROPERTIES_MAX:
        text = f"the total number of attributes and capacities must not exceed {PROPERTIES_MAX}"
        errors.append(fields.invalid(path, len(attributes) + len(capacity), text))
    for key, value in attributes.items():
        given = [field for field in _VALUES if value.get(field) is not None]
        text, at = "exactly one value must be specified", f"{path}.attributes[{key}]"
        if not given:
            errors.append(fields.required(at, text))
        elif len(given) > 1:
            errors.append(fields.invalid(at, value, text))
    for index, taint in enumerate(device.get("taints") or ()):
        errors += _taint(taint, f"{path}.taints[{index}]")
    return errors + (_one_place(device, _PLACES_OF_DEVICE, path) if alone else [])


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
