"""Formats of strings in schemas: upstream checks these and ignores every other name. Source: kube-openapi's strfmt."""

import base64
import binascii
import datetime
import ipaddress
import re
import urllib.parse
from collections.abc import Callable

from steersman.meta import names, times

_LABEL = "[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
_DURATION = re.compile(
    r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)\s*(?:ns|us|µs|μs|ms|s|m|h|d|w|nanoseconds?|microseconds?|milliseconds?|seconds?|minutes?|hours?|days?|weeks?|hrs?|mins?|secs?|usecs?|msecs?|nsecs?)"
    r"(?:\s*(?:\d+(?:\.\d+)?|\.\d+)\s*(?:ns|us|µs|μs|ms|s|m|h))*"
)


def _fits(pattern: str) -> Callable[[str], bool]:
    match = re.compile(pattern).fullmatch
    return lambda text: match(text) is not None


def _reads(read: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except (ValueError, OverflowError):
            return False
        return True

    return check


def _uri(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme or text.startswith("/")) and " " not in text


def _mac(text: str) -> bool:
    for separator, digits in ((":", 2), ("-", 2), (".", 4)):
        groups = text.split(separator)
        if len(groups) * digits in (12, 16, 40) and all(
            re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", one) for one in groups
        ):
            return True
    return False


def _uuid(third: str = "[0-9a-f]", fourth: str = "[0-9a-f]") -> Callable[[str], bool]:
    """Upstream takes hyphens as optional. `third` and `fourth` are what these groups begin with: version and variant."""
    form = rf"[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{third}[0-9a-f]{{3}}-?{fourth}[0-9a-f]{{3}}-?[0-9a-f]{{12}}"
    pattern = re.compile(form, re.IGNORECASE | re.ASCII)
    return lambda text: pattern.fullmatch(text) is not None


def _byte(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _luhn(text: str) -> bool:
    digits = re.sub(r"[ -]", "", text)
    if not re.fullmatch(r"\d{13,19}", digits):
        return False
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def _isbn10(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"\d{9}[\dX]", digits):
        return False
    return sum((10 - index) * (10 if digit == "X" else int(digit)) for index, digit in enumerate(digits)) % 11 == 0


def _isbn13(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    return bool(re.fullmatch(r"\d{13}", digits)) and (
        sum(int(digit) * (1 + 2 * (index % 2)) for index, digit in enumerate(digits)) % 10 == 0
    )


def _date(text: str) -> bool:
    return len(text) == 10 and _reads(datetime.date.fromisoformat)(text)


_time = _reads(times.parse)

_CHECKS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _fits("[0-9a-fA-F]{24}"),
    "byte": _byte,
    "cidr": _reads(lambda text: ipaddress.ip_network(text, strict=False) if "/" in text else int("")),
    "creditcard": _luhn,
    "date": _date,
    "datetime": _time,
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "email": _fits(r"[^@\s<>]+@[^@\s<>]+|[^<>]*<[^@\s<>]+@[^@\s<>]+>"),
    "hexcolor": _fits("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": _fits(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?"),
    "ipv4": _reads(ipaddress.IPv4Address),
    "ipv6": _reads(ipaddress.IPv6Address),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "k8s-long-name": lambda text: not names.subdomain_errors(text),
    "k8s-short-name": lambda text: not names.label_errors(text),
    "mac": _mac,
    "password": lambda text: True,
    "rgbcolor": _fits(r"rgb\(\s*(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*(,\s*(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*){2}\)"),
    "ssn": _fits(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "uri": _uri,
    "uuid": _uuid(),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4", "[89ab]"),
    "uuid5": _uuid("5", "[89ab]"),
}  # fmt: skip


def check_of(name: str) -> Callable[[str], bool] | None:
    """None for a format that is not checked. Dashes do not count: `date-time` is `datetime`."""
    return _CHECKS.get(name) or _CHECKS.get(name.replace("-", ""))
