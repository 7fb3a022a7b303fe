"""What claims and classes ask of devices: requests, selectors, tolerations. Source: upstream's pkg/apis/resource/validation."""

import re

from steersman.api import devices
from steersman.api.cel import types
from steersman.api.validation import fields
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

SELECTORS_MAX = 32
ALTERNATIVES_MAX = 8
TOLERATIONS_MAX = 16
EXPRESSION_MAX = 10 * 1024
IDENTIFIER_MAX = 32
DRIVER_MAX = 63
_MODES = ("All", "ExactCount")
_OPERATORS = ("Equal", "Exists")
_EFFECTS = ("NoExecute", "NoSchedule")
_ONE_KIND = "exactly one of `exactly` or `firstAvailable` is required"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_AN_IDENTIFIER = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' "
    "(e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')"
)


def validate_request(request: Object, path: str) -> list[FieldError]:
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable") or []
    if exactly is not None and alternatives:
        return [fields.invalid(path, None, f"{_ONE_KIND}, but multiple fields are set")]
    if exactly is not None:
        return _exact(exactly, f"{path}.exactly")
    if not alternatives:
        return [fields.required(path, _ONE_KIND)]
    if len(alternatives) > ALTERNATIVES_MAX:
        return [fields.too_many(f"{path}.firstAvailable", len(alternatives), ALTERNATIVES_MAX)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, one in enumerate(alternatives):
        at = f"{path}.firstAvailable[{index}]"
        errors += [*validate_unique_name(one.get("name"), seen, f"{at}.name", at), *_exact(one, at)]
    return errors


def validate_selectors(selectors: list[Object], path: str, *, stored: bool = False) -> list[FieldError]:
    """Expressions that are `stored` were right when they came."""
    if len(selectors) > SELECTORS_MAX:
        return [fields.too_many(path, len(selectors), SELECTORS_MAX)]
    errors: list[FieldError] = []
    for index, one in enumerate(selectors):
        at = f"{path}[{index}].cel"
        if one.get("cel") is None:
            errors.append(fields.required(at))
        elif not stored:
            errors += _expression(one["cel"].get("expression", ""), f"{at}.expression")
    return errors


def validate_unique_name(name: str | None, seen: set[str], path: str, whole: str) -> list[FieldError]:
    if not name:
        return [fields.required(path)]
    errors = fields.each_invalid(path, name, names.label_errors(name))
    if name in seen:
        errors.append(fields.duplicate(whole, name))
    seen.add(name)
    return errors


def validate_driver(name: str | None, path: str) -> list[FieldError]:
    if not name:
        return [fields.required(path)]
    errors = [fields.too_long(path, DRIVER_MAX)] if len(name) > DRIVER_MAX else []
    return errors + fields.each_invalid(path, name, names.subdomain_errors(name))


def validate_qualified_name(name: str, path: str, *, whole: bool = False) -> list[FieldError]:
    """Of attributes and capacities: an identifier, with the domain of who defines it, which is needed in a `whole` name."""
    domain, slash, identifier = name.partition("/")
    if "/" in identifier:
        return [fields.invalid(path, name, "must not contain more than one slash")]
    if not slash:
        errors = _identifier(name, path)
        text = "a fully qualified name must be a domain and a name separated by a slash"
        return [*errors, fields.invalid(path, name, text)] if whole else errors
    errors = validate_driver(domain, path) if domain else [fields.invalid(path, "", "the domain must not be empty")]
    if not identifier:
        return [*errors, fields.invalid(path, "", "the name must not be empty")]
    return errors + _identifier(identifier, path)


def validate_tolerations(tolerations: list[Object], path: str) -> list[FieldError]:
    if len(tolerations) > TOLERATIONS_MAX:
        return [fields.too_many(path, len(tolerations), TOLERATIONS_MAX)]
    errors: list[FieldError] = []
    for index, one in enumerate(tolerations):
        at, value = f"{path}[{index}]", one.get("value") or ""
        if one.get("key"):
            errors += fields.each_invalid(f"{at}.key", one["key"], names.qualified_name_errors(one["key"]))
        errors += fields.check_one_of(f"{at}.operator", one.get("operator"), _OPERATORS)
        if one.get("operator") == "Exists" and value:
            errors.append(fields.invalid(f"{at}.value", value, "must be empty for operator `Exists`"))
        elif one.get("operator") == "Equal":
            errors += fields.each_invalid(f"{at}.value", value, names.label_value_errors(value))
        errors += fields.check_one_of(f"{at}.effect", one.get("effect"), _EFFECTS, needed=False)
    return errors


def _exact(request: Object, path: str) -> list[FieldError]:
    mode, count = request.get("allocationMode"), request.get("count", 0)
    errors = fields.check_name(f"{path}.deviceClassName", request.get("deviceClassName"), names.subdomain_errors)
    errors += validate_selectors(request.get("selectors") or [], f"{path}.selectors")
    if mode not in _MODES:
        errors.append(fields.not_supported(f"{path}.allocationMode", mode or "", _MODES))
    elif mode == "All" and count:
        errors.append(fields.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'"))
    elif mode == "ExactCount" and count <= 0:
        errors.append(fields.invalid(f"{path}.count", count, "must be greater than zero"))
    for name in (request.get("capacity") or {}).get("requests") or {}:
        errors += validate_qualified_name(name, f"{path}.capacity.requests")
    return errors + validate_tolerations(request.get("tolerations") or [], f"{path}.tolerations")


def _expression(text: str, path: str) -> list[FieldError]:
    if not text:
        return [fields.required(path)]
    if len(text) > EXPRESSION_MAX:
        return [fields.too_long(path, EXPRESSION_MAX)]
    found = devices.program(text)
    if isinstance(found, str):
        return [fields.invalid(path, text, f"compilation failed: {found}")]
    if found.type not in (types.BOOL, types.DYN):
        return [fields.invalid(path, text, "must evaluate to bool")]
    return []


def _identifier(name: str, path: str) -> list[FieldError]:
    errors = [fields.too_long(path, IDENTIFIER_MAX)] if len(name) > IDENTIFIER_MAX else []
    return errors if _IDENTIFIER.fullmatch(name) else [*errors, fields.invalid(path, name, _NOT_AN_IDENTIFIER)]
