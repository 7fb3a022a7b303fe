"""Optionals: values that may be missing. Source: cel-go's cel/library.go, OptionalTypes."""

from typing import Any

from steersman.api.cel import types, values
from steersman.api.cel.functions import Functions, member, plain
from steersman.api.cel.types import BOOL
from steersman.api.cel.values import NONE, EvalError, Optional

_V = types.parameter("V")
_OPTIONAL = types.optional_of(_V)


def _or_value(optional: Optional, other: Any) -> Any:
    return other if optional is NONE else optional.value


def _value(optional: Optional) -> Any:
    if optional is NONE:
        raise EvalError("optional.none() dereference")
    return optional.value


def _non_zero(value: Any) -> Optional:
    return NONE if is_zero(value) else Optional(value)


def is_zero(value: Any) -> bool:
    """Empty, null, false or nothing."""
    if value.__class__ in (values.Duration, values.Timestamp):
        return bool(value.nanos == 0)
    if value.__class__ is Optional:
        return value is NONE
    return not value


def _unwrapped(items: list[Any]) -> list[Any]:
    return [item.value for item in items if item is not NONE]


FUNCTIONS: Functions = {
    "optional.of": (plain("optional_of", (_V,), _OPTIONAL, Optional),),
    "optional.ofNonZeroValue": (plain("optional_ofNonZeroValue", (_V,), _OPTIONAL, _non_zero),),
    "optional.none": (plain("optional_none", (), _OPTIONAL, lambda: NONE),),
    "optional.unwrap": (plain("optional_unwrap", (types.list_of(_OPTIONAL),), types.list_of(_V), _unwrapped),),
    "unwrapOpt": (member("optional_unwrapOpt", (types.list_of(_OPTIONAL),), types.list_of(_V), _unwrapped),),
    "value": (member("optional_value", (_OPTIONAL,), _V, _value),),
    "hasValue": (member("optional_hasValue", (_OPTIONAL,), BOOL, lambda optional: optional is not NONE),),
    "or": (
        member(
            "optional_or_optional",
            (_OPTIONAL, _OPTIONAL),
            _OPTIONAL,
            lambda one, other: other if one is NONE else one,
        ),
    ),
    "orValue": (member("optional_orValue_value", (_OPTIONAL, _V), _V, _or_value),),
}
