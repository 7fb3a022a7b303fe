"""DeviceClasses, ResourceClaims and their templates. Source: upstream's pkg/apis/resource/validation."""

from collections.abc import Callable, Collection

import orjson

from steersman.api.validation import device_requests, fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

REQUESTS_MAX = CONSTRAINTS_MAX = CONFIGS_MAX = 32
RESERVED_MAX = 256
PARAMETERS_MAX = 10 * 1024
CONDITIONS_MAX = 8


def seen_as(convert: Callable[[Object], Object], validate: metadata.Validate) -> metadata.Validate:
    """The rules of another version; upstream's paths are those of its newest as well."""

    def validate_version(new: Object, old: Object | None) -> list[FieldError]:
        return validate(convert(new), convert(old) if old is not None else None)

    return validate_version


def validate_class(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    before = (old or {}).get("spec") or {}
    selectors = spec.get("selectors") or []
    stored = old is not None and selectors == (before.get("selectors") or [])
    errors += device_requests.validate_selectors(selectors, "spec.selectors", stored=stored)
    for index, config in enumerate(_limited(spec.get("config"), CONFIGS_MAX, "spec.config", errors)):
        errors += _opaque(config, f"spec.config[{index}]")
    extended = spec.get("extendedResourceName")
    return [*errors, *fields.check_optional_name("spec.extendedResourceName", extended, names.qualified_name_errors)]


def validate_claim(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old)
    if old is None:
        return [*errors, *_spec(new.get("spec") or {}, "spec")]
    errors += fields.check_immutable("spec", new.get("spec") or {}, old.get("spec") or {})
    return [*errors, *_status(new.get("status") or {}, old.get("status") or {})]


def validate_claim_template(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    if old is None:
        return [*errors, *_spec(spec.get("spec") or {}, "spec.spec")]
    return [*errors, *fields.check_immutable("spec", spec, old.get("spec") or {})]


def _spec(spec: Object, path: str) -> list[FieldError]:
    devices, where = spec.get("devices") or {}, f"{path}.devices"
    errors: list[FieldError] = []
    requests = _limited(devices.get("requests"), REQUESTS_MAX, f"{where}.requests", errors)
    known: set[str] = set()
    for index, request in enumerate(requests):
        at = f"{where}.requests[{index}]"
        errors += device_requests.validate_unique_name(request.get("name"), known, f"{at}.name", at)
        errors += device_requests.validate_request(request, at)
    known |= {
        f"{one.get('name')}/{sub.get('name')}"
        for one in requests
        for sub in one.get("firstAvailable") or ()
        if one.get("name")
    }
    for index, one in enumerate(_limited(devices.get("constraints"), CONSTRAINTS_MAX, f"{where}.constraints", errors)):
        errors += _constraint(one, known, f"{where}.constraints[{index}]")
    for index, one in enumerate(_limited(devices.get("config"), CONFIGS_MAX, f"{where}.config", errors)):
        at = f"{where}.config[{index}]"
        errors += [*_of_claim(one.get("requests") or [], known, f"{at}.requests"), *_opaque(one, at)]
    return errors


def _constraint(one: Object, known: Collection[str], path: str) -> list[FieldError]:
    errors = _of_claim(one.get("requests") or [], known, f"{path}.requests")
    for field in ("matchAttribute", "distinctAttribute"):
        if one.get(field) is not None:
            return errors + device_requests.validate_qualified_name(one[field], f"{path}.{field}", whole=True)
    text = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
    return [*errors, fields.required(path, text)]


def _of_claim(requests: list[str], known: Collection[str], path: str) -> list[FieldError]:
    text = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    return [fields.invalid(f"{path}[{index}]", name, text) for index, name in enumerate(requests) if name not in known]


def _opaque(config: Object, path: str) -> list[FieldError]:
    opaque, at = config.get("opaque"), f"{path}.opaque"
    if opaque is None:
        return [fields.required(at)]
    errors = device_requests.validate_driver(opaque.get("driver"), f"{at}.driver")
    parameters, where = opaque.get("parameters"), f"{at}.parameters"
    if parameters is None:
        return [*errors, fields.required(where)]
    if not isinstance(parameters, dict):
        return [*errors, fields.invalid(where, "<value omitted>", "must be a valid JSON object")]
    size = len(orjson.dumps(parameters))
    return [*errors, fields.too_long(where, PARAMETERS_MAX)] if size > PARAMETERS_MAX else errors


def _status(new: Object, old: Object) -> list[FieldError]:
    """An allocation stays as it is until it goes; only who has one can reserve it."""
    allocation, before = new.get("allocation"), old.get("allocation")
    errors = []
    if allocation is not None and before is not None:
        errors += fields.check_immutable("status.allocation", allocation, before)
    reserved = new.get("reservedFor") or []
    if len(reserved) > RESERVED_MAX:
        errors.append(fields.too_many("status.reservedFor", len(reserved), RESERVED_MAX))
    if reserved and allocation is None:
        errors.append(fields.forbidden("status.reservedFor", "may not be specified when `allocated` is not set"))
    seen: set[str] = set()
    for index, one in enumerate(reserved):
        at = f"status.reservedFor[{index}]"
        errors += [fields.required(f"{at}.{field}") for field in ("resource", "name", "uid") if not one.get(field)]
        if one.get("uid") in seen:
            errors.append(fields.duplicate(f"{at}.uid", one["uid"]))
        seen.add(one.get("uid", ""))
    return errors + _device_statuses(new.get("devices") or [], allocation or {})


def _device_statuses(told: list[Object], allocation: Object) -> list[FieldError]:
    """Of devices that the claim has, shares told apart."""
    errors: list[FieldError] = []
    results = (allocation.get("devices") or {}).get("results") or ()
    allocated = {_identity(one) for one in results}
    seen: set[str] = set()
    for index, one in enumerate(told):
        at, identity = f"status.devices[{index}]", _identity(one)
        if identity not in allocated:
            errors.append(fields.invalid(at, identity, "must be an allocated device in the claim"))
        if identity in seen:
            errors.append(fields.duplicate(at, identity))
        seen.add(identity)
        count = len(one.get("conditions") or ())
        if count > CONDITIONS_MAX:
            errors.append(fields.too_many(f"{at}.conditions", count, CONDITIONS_MAX))
    return errors


def _identity(one: Object) -> str:
    return "/".join(one[field] for field in ("driver", "pool", "device", "shareID") if one.get(field))


def _limited(listed: list[Object] | None, limit: int, path: str, errors: list[FieldError]) -> list[Object]:
    """The list; what is too long is told in `errors`."""
    listed = listed or []
    if len(listed) > limit:
        errors.append(fields.too_many(path, len(listed), limit))
    return listed
