"""Where other machines reach the API server: what `--listen`, `--advertise-address` and `--tls-san` say."""

import ipaddress
import socket

from steersman.cluster.options import EVERYWHERE, LOOPBACK, Options
from steersman.meta import names

_ANYWHERE = ("192.0.2.1", 9)  # nothing is sent there (RFC 5737): only the way to it is looked up


class NoAddress(ValueError):
    """The text says what to do."""


def check_address(text: str) -> str:
    """An IPv4 address, as it is written usually. Raises ValueError."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError(f"not an IPv4 address: {text!r}") from None


def check_listen(text: str) -> str:
    """Raises ValueError."""
    address = check_address(text)
    return LOOPBACK if ipaddress.IPv4Address(address).is_loopback else address


def check_advertise(text: str) -> str:
    """Raises ValueError."""
    parsed = ipaddress.IPv4Address(check_address(text))
    if parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast:
        raise ValueError(f"{parsed} is no address that another machine could use")
    return str(parsed)


def check_names(texts: tuple[str, ...]) -> tuple[str, ...] | None:
    """Names for a certificate; None where none were given. Raises ValueError."""
    return tuple(map(check_name, texts)) or None


def check_name(text: str) -> str:
    """A host name or address for a certificate. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    if names.subdomain_errors(text.removeprefix("*.")):
        raise ValueError(f"neither a host name nor an address: {text!r}")
    return text


def advertised(wanted: Options) -> str:
    """The address that other machines are told; "" when none can reach the API server. Raises NoAddress."""
    if not wanted.is_open():
        return ""
    found = wanted.advertise_address or (wanted.listen if wanted.listen != EVERYWHERE else outward_address())
    if not found:
        raise NoAddress(
            "This machine has no default route that would tell its address: name it by --advertise-address."
        )
    return found


def outward_address(host: str = _ANYWHERE[0], port: int = _ANYWHERE[1]) -> str:
    """What this machine sends from to `host`; "" where nothing leads there."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def has_address(address: str) -> bool:
    """Whether it is one of this machine's."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
