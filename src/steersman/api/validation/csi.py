"""CSIDrivers, CSINodes and CSIStorageCapacities, and the syntax of a driver's name."""

from steersman.api.validation import fields, metadata
from steersman.meta import names, quantities
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_NAME_MAX = 63
_NODE_ID_MAX = 256
_TOKEN_SECONDS_LEAST = 600
_UPDATE_SECONDS_LEAST = 10
_FS_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_LIFECYCLES = ("Ephemeral", "Persistent")


def check_driver_name(path: str, name: str) -> list[FieldError]:
    errors = [] if name else [fields.required(path)]
    if len(name) > _NAME_MAX:
        errors.append(fields.too_long(path, _NAME_MAX))
    return [*errors, *fields.each_invalid(path, name, names.subdomain_errors(name.lower()))]


def validate_driver(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    errors += fields.check_one_of("spec.fsGroupPolicy", spec.get("fsGroupPolicy"), _FS_GROUP_POLICIES, needed=False)
    errors += _tokens(spec.get("tokenRequests") or ())
    for mode in spec.get("volumeLifecycleModes") or ():
        errors += fields.check_one_of("spec.volumeLifecycleModes", mode, _LIFECYCLES)
    seconds = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if seconds is not None and seconds < _UPDATE_SECONDS_LEAST:
        path = "spec.nodeAllocatableUpdatePeriodSeconds"
        errors.append(fields.invalid(path, seconds, "must be greater than or equal to 10 seconds"))
    if old is not None:
        before = old.get("spec") or {}
        # The first path is upstream's, misspelt.
        for field, path in (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")):
            errors += fields.check_immutable(f"spec.{path}", spec.get(field), before.get(field))
    return errors


def validate_node(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old, namespaced=False)
    drivers = (new.get("spec") or {}).get("drivers") or ()
    for index, driver in enumerate(drivers):
        errors += _node_driver(driver, f"spec.drivers[{index}]")
    errors += fields.check_unique(
        lambda index: f"spec.drivers[{index}].name", (driver.get("name", "") for driver in drivers)
    )
    if old is not None:
        known = {one.get("name"): one for one in (old.get("spec") or {}).get("drivers") or ()}
        for driver in drivers:
            before = known.get(driver.get("name"), driver)
            errors += fields.check_immutable("spec.drivers", _fixed(driver), _fixed(before))
    return errors


def validate_capacity(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old)
    if old is not None:
        for field in ("nodeTopology", "storageClassName"):
            errors += fields.check_immutable(field, new.get(field), old.get(field))
        return errors
    errors += metadata.label_selector(new.get("nodeTopology"), "nodeTopology")
    name = new.get("storageClassName", "")
    errors += fields.each_invalid("storageClassName", name, names.subdomain_errors(name))
    capacity = new.get("capacity")
    if capacity is not None and quantities.parse(capacity).nanos < 0:
        errors.append(fields.invalid("capacity", capacity, fields.NEGATIVE))
    return errors


def _tokens(requests: list[Object] | tuple[()]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, request in enumerate(requests):
        path, audience = f"spec.tokenRequests[{index}]", request.get("audience", "")
        if audience in seen:
            errors.append(fields.duplicate(f"{path}.audience", audience))
            continue
        seen.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < _TOKEN_SECONDS_LEAST:
            text = "may not specify a duration less than 10 minutes"
            errors.append(fields.invalid(f"{path}.expirationSeconds", seconds, text))
        if seconds is not None and seconds > 1 << 32:
            text = "may not specify a duration larger than 2^32 seconds"
            errors.append(fields.invalid(f"{path}.expirationSeconds", seconds, text))
    return errors


def _node_driver(driver: Object, path: str) -> list[FieldError]:
    errors = check_driver_name(f"{path}.name", driver.get("name", ""))
    node_id = driver.get("nodeID", "")
    if not node_id:
        errors.append(fields.required(f"{path}.nodeID"))
    if len(node_id) > _NODE_ID_MAX:
        errors.append(fields.invalid(f"{path}.nodeID", node_id, f"must be {_NODE_ID_MAX} characters or less"))
    count = (driver.get("allocatable") or {}).get("count")
    errors += fields.check_not_negative(f"{path}.allocatable.count", count)
    keys = driver.get("topologyKeys") or ()
    for position, key in enumerate(keys):
        if not key:
            errors.append(fields.required(path))
        if key in keys[:position]:
            errors.append(fields.duplicate(path, key))
        errors += fields.each_invalid(path, key, names.qualified_name_errors(key))
    return errors


def _fixed(driver: Object) -> Object:
    """What may not change once a driver is registered: how many volumes fit may."""
    return {field: value for field, value in driver.items() if field != "allocatable"}
