"""Quantities (`500m`, `1.5Gi`, `12e6`): exact parsing, comparison and the canonical form.

A quantity is a whole number of nano-units: finer digits are rounded away from zero, as upstream does, so that every
operation is exact integer arithmetic. Source: apimachinery's api/resource/quantity.go (its documentation comment).

Most callers want `millis` (CPU), `whole` (bytes, counts) or `canonical`; all are cached, as clusters use few distinct texts.
"""

import dataclasses
import functools
import re
from typing import Literal

Form = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

NANOS = 10**9
_MAX = (2**63 - 1) * NANOS  # upstream caps what does not fit its fast path at the largest int64
_DIGITS_MAX = 18  # as many decimal digits as surely fit an int64

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")

_match = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,9}))?", re.ASCII).fullmatch

FORMAT_ERROR = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"  # upstream's text
)


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """`nanos` is the value; `form` only says how to write it."""

    nanos: int
    form: Form = dataclasses.field(default="DecimalSI", compare=False)

    def __str__(self) -> str:
        return format(self)

    @property
    def millis(self) -> int:
        """Thousandths, rounded up: millicores."""
        return -(-self.nanos // 10**6)

    @property
    def whole(self) -> int:
        """Units, rounded up: bytes."""
        return -(-self.nanos // NANOS)


def parse(value: str | int | float) -> Quantity:
    """Raises ValueError with upstream's message. Numbers are read as their JSON text."""
    return _parse(value if isinstance(value, str) else _number_text(value))


def is_quantity(value: object) -> bool:
    try:
        parse(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False
    return True


def millis(value: str | int | float) -> int:
    """Thousandths, rounded up: `millis("0.5") == 500`."""
    return parse(value).millis


def whole(value: str | int | float) -> int:
    """Units, rounded up: `whole("1Ki") == 1024`."""
    return parse(value).whole


def of_millis(count: int) -> str:
    """The text of so many thousandths: `of_millis(1500) == "1500m"`."""
    return format(Quantity(count * 10**6))


def of_bytes(count: int) -> str:
    """The text of so many bytes, in binary units where they fit: `of_bytes(1 << 20) == "1Mi"`."""
    return format(Quantity(count * NANOS, "BinarySI"))


def compare(left: str | int | float, right: str | int | float) -> int:
    """-1, 0 or 1."""
    a, b = parse(left).nanos, parse(right).nanos
    return (a > b) - (a < b)


def canonical(value: str | int | float) -> str:
    """The one text for this value and form: what the API stores and shows. Raises ValueError."""
    return _canonical(value if isinstance(value, str) else _number_text(value))


def format(quantity: Quantity) -> str:  # noqa: A001 — the module is used qualified
    """No fraction, the largest suffix that loses nothing."""
    nanos = quantity.nanos
    if nanos == 0:
        return "0"
    if quantity.form == "BinarySI" and abs(nanos) >= 1024 * NANOS and nanos % NANOS == 0:
        count, steps = _strip(nanos // NANOS, 1024, len(_BINARY_SUFFIX) - 1)
        return f"{count}{_BINARY_SUFFIX[steps]}"
    count, steps = _strip(nanos, 1000, 9)
    exponent = 3 * steps - 9
    if quantity.form == "DecimalExponent":
        return f"{count}e{exponent}" if exponent else str(count)
    return f"{count}{_DECIMAL_SUFFIX[exponent]}"


def _number_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(FORMAT_ERROR)
    return repr(value)


@functools.lru_cache(maxsize=4096)
def _parse(text: str) -> Quantity:
    found = _match(text)
    if found is None:
        raise ValueError(FORMAT_ERROR)
    sign, number, suffix, exponent = found.groups()
    integer, _, fraction = number.partition(".")
    digits = int(integer + fraction or "0")
    if suffix in _BINARY:
        form: Form = "BinarySI"
        numerator, denominator = (digits << _BINARY[suffix]) * NANOS, 10 ** len(fraction)
    else:
        form = "DecimalSI" if exponent is None else "DecimalExponent"
        power = (_DECIMAL[suffix or ""] if exponent is None else _clamp(int(exponent))) + 9 - len(fraction)
        numerator, denominator = (digits * 10**power, 1) if power >= 0 else (digits, 10**-power)
    nanos = -(-numerator // denominator)
    if nanos > _MAX and (form == "BinarySI" or len(integer + fraction) > _DIGITS_MAX):
        nanos = _MAX
    if form == "BinarySI" and nanos < NANOS:
        form = "DecimalSI"
    return Quantity(-nanos if sign == "-" else nanos, form)


@functools.lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    return format(_parse(text))


def _clamp(exponent: int) -> int:
    """Keep absurd exponents from making absurd integers: beyond these the value is capped or rounded to 1n anyway."""
    return max(-400, min(exponent, 400))


def _strip(count: int, base: int, steps_max: int) -> tuple[int, int]:
    """Divide by `base` while nothing is lost."""
    steps = 0
    while steps < steps_max and count % base == 0:
        count //= base
        steps += 1
    return count, steps
