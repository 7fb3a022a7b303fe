"""What a device says of its capacity, and how much of it may be asked for. Source: upstream's pkg/apis/resource/validation."""

import itertools

from steersman.api.validation import fields
from steersman.meta import quantities
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object
from steersman.meta.quantities import Quantity

VALUES_MAX = 10
_TWO_POLICIES = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'


def validate(capacity: Object, path: str, *, shared: bool) -> list[FieldError]:
    policy, where = capacity.get("requestPolicy"), f"{path}.requestPolicy"
    if policy is None:
        return []
    if not shared:
        return [fields.forbidden(where, "allowMultipleAllocations must be true")]
    values, within = policy.get("validValues") or [], policy.get("validRange")
    if values and within is not None:
        return [fields.forbidden(where, _TWO_POLICIES)]
    if not values and within is None:
        return []
    if policy.get("default") is None:
        return [
            fields.required(f"{where}.default", f"required when {'validValues' if values else 'validRange'} is defined")
        ]
    default, most = _read(policy["default"]), _read(capacity["value"])
    if values:
        return _values([_read(one) for one in values], default, most, f"{where}.validValues")
    return _range(within, default, most, f"{where}.validRange")


def _values(values: list[Quantity], default: Quantity, most: Quantity, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, (one, after) in enumerate(itertools.pairwise(values)):
        if one.nanos > after.nanos:
            text = "values must be sorted in ascending order"
            errors.append(fields.invalid(f"{path}[{index + 1}]", str(after), text))
    if len(values) > VALUES_MAX:
        return [*errors, fields.too_many(path, len(values), VALUES_MAX)]
    seen: set[int] = set()
    for index, one in enumerate(values):
        if one.nanos > most.nanos:
            text = f"option is larger than capacity value: {most}"
            errors.append(fields.invalid(f"{path}[{index}]", str(one), text))
        if one.nanos in seen:
            errors.append(fields.duplicate(f"{path}[{index}]", str(one)))
        seen.add(one.nanos)
    if default.nanos not in seen:
        errors.append(fields.invalid(path, str(default), "default value is not valid according to the requestPolicy"))
    return errors


def _range(within: Object, default: Quantity, most: Quantity, path: str) -> list[FieldError]:
    if within.get("min") is None:
        return [fields.required(f"{path}.min", "required when validRange is defined")]
    low = _read(within["min"])
    high = _read(within["max"]) if within.get("max") is not None else None
    checks = [
        ("min", low, low.nanos > most.nanos, f"min is larger than capacity value: {most}"),
        ("default", default, default.nanos < low.nanos, f"default is less than min: {low}"),
    ]
    if high is not None:
        checks += [
            ("max", low, low.nanos > high.nanos, f"min is larger than max: {high}"),
            ("max", high, high.nanos > most.nanos, f"max is larger than capacity value: {most}"),
            ("default", default, default.nanos > high.nanos, f"default is more than max: {high}"),
        ]
    errors = [fields.invalid(f"{path}.{field}", str(value), text) for field, value, wrong, text in checks if wrong]
    if within.get("step") is not None:
        errors += _step(
            _read(within["step"]), low, [default, *([high] if high is not None else [])], most, f"{path}.step"
        )
    return errors


def _step(step: Quantity, low: Quantity, values: list[Quantity], most: Quantity, path: str) -> list[FieldError]:
    if step.nanos <= 0:
        return [fields.invalid(path, str(step), "must be greater than zero")]
    errors = []
    one = Quantity(low.nanos + step.nanos, step.form)
    if one.nanos > most.nanos:
        errors.append(fields.invalid(path, str(step), f"one step {one} is larger than capacity value: {most}"))
    for value in values:
        if (value.nanos - low.nanos) % step.nanos:
            text = f"value is not a multiple of a given step ({step}) from ({low})"
            errors.append(fields.invalid(path, str(value), text))
    return errors


def _read(value: object) -> Quantity:
    return quantities.parse(str(value))
