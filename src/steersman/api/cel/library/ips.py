"""Addresses and their ranges. Source: apiserver's cel/library/ip.go, cidr.go."""

import dataclasses
import ipaddress
import re
from collections.abc import Callable
from typing import Any, ClassVar

from steersman.api.cel import types
from steersman.api.cel.functions import Functions, member, plain
from steersman.api.cel.types import BOOL, INT, STRING
from steersman.api.cel.values import EvalError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IP, _CIDR = types.opaque("net.IP"), types.opaque("net.CIDR")
_PREFIX = re.compile(r"0|[1-9]\d{0,2}", re.ASCII).fullmatch


@dataclasses.dataclass(frozen=True, slots=True)
class IP:
    TYPE_NAME: ClassVar[str] = "net.IP"

    address: Address


@dataclasses.dataclass(frozen=True, slots=True)
class CIDR:
    TYPE_NAME: ClassVar[str] = "net.CIDR"

    address: Address
    length: int

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        return ipaddress.ip_network((self.address, self.length), strict=False)


def parse_ip(text: str) -> IP:
    """Without a zone, and no IPv4 address in IPv6's clothes. Raises EvalError."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise EvalError(
            f'IP Address "{text}" parse error during conversion from string: ParseAddr("{text}"): unable to parse IP'
        ) from None
    if "%" in text:
        raise EvalError(f'IP address "{text}" with zone value is not allowed')
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvalError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return IP(address)


def parse_cidr(text: str) -> CIDR:
    """Raises EvalError."""
    host, slash, length = text.partition("/")
    try:
        if not slash or not _PREFIX(length):
            raise ValueError("no prefix")
        address = ipaddress.ip_address(host)
        if int(length) > address.max_prefixlen:
            raise ValueError("prefix length out of range")
    except ValueError:
        raise EvalError(
            f'network address parse error during conversion from string: netip.ParsePrefix("{text}"): unable to parse'
        ) from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvalError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return CIDR(address, int(length))


def _reads(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except EvalError:
            return False
        return True

    return check


def _is_canonical(text: str) -> bool:
    return str(parse_ip(text).address) == text


def _is_link_local_multicast(ip: IP) -> bool:
    if ip.address.version == 4:
        return ip.address in ipaddress.IPv4Network("224.0.0.0/24")
    return ip.address.packed[0] == 0xFF and ip.address.packed[1] & 0x0F == 0x02


def _is_global_unicast(ip: IP) -> bool:
    address = ip.address
    limited = address.version == 4 and address == ipaddress.IPv4Address("255.255.255.255")
    return not (
        limited or address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    )


def _contains_ip(cidr: CIDR, ip: IP) -> bool:
    return ip.address in cidr.network


def _contains_cidr(cidr: CIDR, other: CIDR) -> bool:
    mine, theirs = cidr.network, other.network
    return mine.version == theirs.version and mine.prefixlen <= theirs.prefixlen and theirs.network_address in mine


def _masked(cidr: CIDR) -> CIDR:
    return CIDR(cidr.network.network_address, cidr.length)


def _asks(name: str, call: Callable[[IP], Any], result: types.Type = BOOL) -> Any:
    return (member(name, (_IP,), result, call),)


FUNCTIONS: Functions = {
    "ip": (
        plain("string_to_ip", (STRING,), _IP, parse_ip),
        member("cidr_ip", (_CIDR,), _IP, lambda cidr: IP(cidr.address)),
    ),
    "isIP": (plain("is_ip", (STRING,), BOOL, _reads(parse_ip)),),
    "ip.isCanonical": (plain("ip_is_canonical", (STRING,), BOOL, _is_canonical),),
    "family": _asks("ip_family", lambda ip: ip.address.version, INT),
    "isUnspecified": _asks("ip_is_unspecified", lambda ip: ip.address.is_unspecified),
    "isLoopback": _asks("ip_is_loopback", lambda ip: ip.address.is_loopback),
    "isLinkLocalMulticast": _asks("ip_is_link_local_multicast", _is_link_local_multicast),
    "isLinkLocalUnicast": _asks("ip_is_link_local_unicast", lambda ip: ip.address.is_link_local),
    "isGlobalUnicast": _asks("ip_is_global_unicast", _is_global_unicast),
    "cidr": (plain("string_to_cidr", (STRING,), _CIDR, parse_cidr),),
    "isCIDR": (plain("is_cidr", (STRING,), BOOL, _reads(parse_cidr)),),
    "containsIP": (
        member("cidr_contains_ip_ip", (_CIDR, _IP), BOOL, _contains_ip),
        member("cidr_contains_ip_string", (_CIDR, STRING), BOOL, lambda cidr, text: _contains_ip(cidr, parse_ip(text))),
    ),
    "containsCIDR": (
        member("cidr_contains_cidr", (_CIDR, _CIDR), BOOL, _contains_cidr),
        member(
            "cidr_contains_cidr_string",
            (_CIDR, STRING),
            BOOL,
            lambda cidr, text: _contains_cidr(cidr, parse_cidr(text)),
        ),
    ),
    "masked": (member("cidr_masked", (_CIDR,), _CIDR, _masked),),
    "prefixLength": (member("cidr_prefix_length", (_CIDR,), INT, lambda cidr: cidr.length),),
    "string": (
        plain("ip_to_string", (_IP,), STRING, lambda ip: str(ip.address)),
        plain("cidr_to_string", (_CIDR,), STRING, lambda cidr: f"{cidr.address}/{cidr.length}"),
    ),
}
