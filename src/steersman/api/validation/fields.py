"""Field errors in upstream's words, and the small checks every kind shares.

Source of the texts: apimachinery's util/validation/field and api/validation.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import orjson

from steersman.meta import names
from steersman.meta.errors import FieldError

Errors = list[FieldError]

IMMUTABLE = "field is immutable"
NEGATIVE = "must be greater than or equal to 0"


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(field, "FieldValueRequired", _with_detail("Required value", detail))


def invalid(field: str, value: Any, detail: str = "") -> FieldError:
    return FieldError(field, "FieldValueInvalid", _with_detail(f"Invalid value: {shown(value)}", detail))


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError(field, "FieldValueForbidden", _with_detail("Forbidden", detail))


def not_supported(field: str, value: Any, supported: Collection[str]) -> FieldError:
    """Lists what is supported as it comes, a set by name."""
    ordered = sorted(supported) if isinstance(supported, set | frozenset) else supported
    listed = ", ".join(f'"{one}"' for one in ordered)
    return FieldError(field, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}")


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError(field, "FieldValueDuplicate", f"Duplicate value: {shown(value)}")


def not_found(field: str, value: Any) -> FieldError:
    return FieldError(field, "FieldValueNotFound", f"Not found: {shown(value)}")


def too_long(field: str, limit: int) -> FieldError:
    return FieldError(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def too_many(field: str, count: int, limit: int) -> FieldError:
    return FieldError(field, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} items")


def shown(value: Any) -> str:
    """A value as messages show it: its JSON."""
    return orjson.dumps(value).decode()


def each_invalid(field: str, value: Any, details: Iterable[str]) -> Errors:
    return [invalid(field, value, detail) for detail in details]


def check_name(field: str, value: str | None, check: names.Check, *, detail: str = "") -> Errors:
    """Required, and of the given syntax."""
    if not value:
        return [required(field, detail)]
    wrong = check(value)
    return each_invalid(field, value, wrong) if wrong else []


def check_optional_name(field: str, value: str | None, check: names.Check) -> Errors:
    return each_invalid(field, value, check(value)) if value else []  # most are absent


def check_one_of(field: str, value: str | None, supported: Collection[str], *, needed: bool = True) -> Errors:
    if not value:
        return [required(field)] if needed else []
    return [] if value in supported else [not_supported(field, value, supported)]


def check_not_negative(field: str, value: int | None) -> Errors:
    return [invalid(field, value, NEGATIVE)] if value is not None and value < 0 else []


def check_port(field: str, value: int | None, *, needed: bool = True) -> Errors:
    if not value:
        return [required(field)] if needed else []
    return each_invalid(field, value, names.port_number_errors(value))


def check_port_or_name(field: str, value: int | str | None) -> Errors:
    """IntOrString: a port's number or its name."""
    if isinstance(value, str):
        return each_invalid(field, value, names.port_name_errors(value))
    return each_invalid(field, value or 0, names.port_number_errors(value or 0))


def check_immutable(field: str, new: Any, old: Any, detail: str = IMMUTABLE) -> Errors:
    return [] if new == old else [invalid(field, new, detail)]


def check_unique(field: Callable[[int], str], values: Iterable[str]) -> Errors:
    """`field(index)` names the place of the one that repeats."""
    seen: set[str] = set()
    errors = []
    for index, value in enumerate(values):
        if value and value in seen:
            errors.append(duplicate(field(index), value))
        seen.add(value)
    return errors


def _with_detail(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text
