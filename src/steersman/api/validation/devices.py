"""DeviceClasses, ResourceClaims and their templates. Source: upstream's pkg/apis/resource/validation."""

from collections.abc import Callable, Collection

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

REQUESTS_MAX = SELECTORS_MAX = CONSTRAINTS_MAX = CONFIGS_MAX = 32
ALTERNATIVES_MAX = 8
RESERVED_MAX = 256
EXPRESSION_MAX = 10 * 1024
DRIVER_MAX = 63
_MODES = ("All", "ExactCount")
_ONE_KIND = "exactly one of `exactly` or `firstAvailable` is required"


def seen_as(convert: Callable[[Object], Object], validate: metadata.Validate) -> metadata.Validate:
    """The rules of another version; upstream's paths are those of its newest as well."""

    def validate_version(new: Object, old: Object | None) -> list[FieldError]:
        return validate(convert(new), convert(old) if old is not None else None)

    return validate_version


def validate_class(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    errors += _selectors(spec.get("selectors") or [], "spec.selectors")
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


def validate_driver(name: str | None, path: str) -> list[FieldError]:
    if not name:
        return [fields.required(path)]
    errors = [fields.too_long(path, DRIVER_MAX)] if len(name) > DRIVER_MAX else []
    return errors + fields.each_invalid(path, name, names.subdomain_errors(name))


def _spec(spec: Object, path: str) -> list[FieldError]:
    devices, where = spec.get("devices") or {}, f"{path}.devices"
    errors: list[FieldError] = []
    requests = _limited(devices.get("requests"), REQUESTS_MAX, f"{where}.requests", errors)
    known: set[str] = set()
    for index, request in enumerate(requests):
        at = f"{where}.requests[{index}]"
        errors += _unique_name(request.get("name"), known, f"{at}.name", at)
        errors += _request(request, at)
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


def _request(request: Object, path: str) -> list[FieldError]:
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable") or []
    if exactly is not None and alternatives:
        return [fields.invalid(path, None, f"{_ONE_KIND}, but multiple fields are set")]
    if exactly is not None:
        return _exact(exactly, f"{path}.exactly")
    if not alternatives:
        return [fields.required(path, _ONE_KIND)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, one in enumerate(_limited(alternatives, ALTERNATIVES_MAX, f"{path}.firstAvailable", errors)):
        at = f"{path}.firstAvailable[{index}]"
        errors += [*_unique_name(one.get("name"), seen, f"{at}.name", at), *_exact(one, at)]
    return errors


def _exact(request: Object, path: str) -> list[FieldError]:
    mode, count = request.get("allocationMode"), request.get("count", 0)
    errors = fields.check_name(f"{path}.deviceClassName", request.get("deviceClassName"), names.subdomain_errors)
    errors += _selectors(request.get("selectors") or [], f"{path}.selectors")
    if mode not in _MODES:
        errors.append(fields.not_supported(f"{path}.allocationMode", mode or "", _MODES))
    elif mode == "All" and count:
        errors.append(fields.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'"))
    elif mode == "ExactCount" and count <= 0:
        errors.append(fields.invalid(f"{path}.count", count, "must be greater than zero"))
    return errors


def _selectors(selectors: list[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, one in enumerate(_limited(selectors, SELECTORS_MAX, path, errors)):
        at = f"{path}[{index}].cel"
        expression = (one.get("cel") or {}).get("expression", "")
        if one.get("cel") is None:
            errors.append(fields.required(at))
        elif not expression:
            errors.append(fields.required(f"{at}.expression"))
        elif len(expression) > EXPRESSION_MAX:
            errors.append(fields.too_long(f"{at}.expression", EXPRESSION_MAX))
    return errors


def _constraint(one: Object, known: Collection[str], path: str) -> list[FieldError]:
    errors = _of_claim(one.get("requests") or [], known, f"{path}.requests")
    if one.get("matchAttribute") is None and one.get("distinctAttribute") is None:
        return [*errors, fields.required(f"{path}.matchAttribute")]
    for field in ("matchAttribute", "distinctAttribute"):
        name = one.get(field)
        if name is not None and "/" not in name:
            errors.append(fields.invalid(f"{path}.{field}", name, "must include a domain"))
        elif name is not None:
            errors += fields.each_invalid(f"{path}.{field}", name, names.qualified_name_errors(name))
    return errors


def _of_claim(requests: list[str], known: Collection[str], path: str) -> list[FieldError]:
    text = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    return [fields.invalid(f"{path}[{index}]", name, text) for index, name in enumerate(requests) if name not in known]


def _opaque(config: Object, path: str) -> list[FieldError]:
    opaque, at = config.get("opaque"), f"{path}.opaque"
    if opaque is None:
        return [fields.required(at)]
    errors = validate_driver(opaque.get("driver"), f"{at}.driver")
    return errors if opaque.get("parameters") else [*errors, fields.required(f"{at}.parameters")]


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
    return errors


def _unique_name(name: str | None, seen: set[str], path: str, whole: str) -> list[FieldError]:
    if not name:
        return [fields.required(path)]
    errors = fields.each_invalid(path, name, names.label_errors(name))
    if name in seen:
        errors.append(fields.duplicate(whole, name))
    seen.add(name)
    return errors


def _limited(listed: list[Object] | None, limit: int, path: str, errors: list[FieldError]) -> list[Object]:
    """The list; what is too long is told in `errors`."""
    listed = listed or []
    if len(listed) > limit:
        errors.append(fields.too_many(path, len(listed), limit))
    return listed
