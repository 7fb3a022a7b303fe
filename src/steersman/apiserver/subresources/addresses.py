"""Where the API server goes for others: not to this machine itself, whatever a node or pod says of its address.

Source: upstream's pkg/proxy/util (IsProxyableIP, IsProxyableHostname).
"""

import asyncio
import contextlib
import ipaddress
import socket

from steersman.meta import errors, names


def check(address: str) -> None:
    """Raises StatusError 400."""
    if not _is_elsewhere(address):
        raise errors.bad_request("address not allowed")


async def check_host(host: str) -> None:
    """An address, or a name: one that nobody knows leads nowhere. Raises StatusError 400."""
    if _is_elsewhere(host):
        return
    if names.subdomain_errors(host.lower()) or _is_address(host):
        raise errors.bad_request("address not allowed")
    with contextlib.suppress(OSError):
        for *_, where in await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM):
            check(str(where[0]).partition("%")[0])


def _is_elsewhere(address: str) -> bool:
    """Not so of what is no address."""
    if not _is_address(address):
        return False
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return not (parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local or parsed.is_multicast)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
