"""Floating point numbers as Go writes them."""

# From this power of ten on, numbers are written with an exponent.
DIGITS_MAX = 6


def go_float(value: float) -> str:
    """strconv.FormatFloat(value, 'g', -1, 64): what fmt and YAML show."""
    import decimal

    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(value)]
    sign, digits, exponent = decimal.Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).lstrip("0") or "0"
    power = len(text) + int(exponent) - 1
    text = text.rstrip("0") or "0"
    minus = "-" if sign else ""
    if text == "0":
        return f"{minus}0"
    if power < -4 or power >= DIGITS_MAX:
        return f"{minus}{text[0]}{'.' if len(text) > 1 else ''}{text[1:]}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{minus}0.{'0' * (-power - 1)}{text}"
    whole, fraction = text[: power + 1].ljust(power + 1, "0"), text[power + 1 :]
    return f"{minus}{whole}.{fraction}" if fraction else f"{minus}{whole}"
