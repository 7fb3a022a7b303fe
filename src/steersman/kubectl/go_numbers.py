"""Floating point numbers as Go writes them: shortest digits that read back as the same number."""

import math

# Powers of ten from which on numbers are written with an exponent: what fmt and YAML show, and JSON.
EXPONENT_MIN, EXPONENT_MAX = -5, 6
JSON_EXPONENT_MIN, JSON_EXPONENT_MAX = -7, 21


def go_float(value: float) -> str:
    """strconv.FormatFloat(value, 'g', -1, 64): what fmt and YAML show."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    digits, power = shortest(value)
    if EXPONENT_MIN < power < EXPONENT_MAX:
        return _sign(value) + _plain(digits, power)
    return f"{_sign(value)}{_mantissa(digits)}e{power:+03d}"


def json_float(value: float) -> str:
    """As encoding/json writes it."""
    digits, power = shortest(value)
    if JSON_EXPONENT_MIN < power < JSON_EXPONENT_MAX:
        return _sign(value) + _plain(digits, power)
    return f"{_sign(value)}{_mantissa(digits)}e{power:+d}"


def shortest(value: float) -> tuple[str, int]:
    """The digits, and the power of ten of the first."""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    stripped = digits.lstrip("0")
    if not stripped:
        return "0", 0
    return stripped.rstrip("0"), int(exponent or 0) + len(whole) - 1 - (len(digits) - len(stripped))


def _sign(value: float) -> str:
    return "-" if math.copysign(1, value) < 0 else ""


def _mantissa(digits: str) -> str:
    return f"{digits[0]}.{digits[1:]}" if digits[1:] else digits


def _plain(digits: str, power: int) -> str:
    if power < 0:
        return f"0.{'0' * (-power - 1)}{digits}"
    whole, fraction = digits[: power + 1].ljust(power + 1, "0"), digits[power + 1 :]
    return f"{whole}.{fraction}" if fraction else whole
