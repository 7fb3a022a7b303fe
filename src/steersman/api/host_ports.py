"""The ports a pod takes of its node itself: each may be taken once, by protocol and address. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

HostPort = tuple[str, str, int]  # protocol, address, number

ALL = "0.0.0.0"


def of(spec: Mapping[str, Any]) -> tuple[HostPort, ...]:
    """What a pod's spec asks for; init containers that end give theirs back."""
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    return tuple(
        (port.get("protocol") or "TCP", port.get("hostIP") or ALL, int(port["hostPort"]))
        for container in (*sidecars, *(spec.get("containers") or ()))
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


def overlap(address: str, taken: Iterable[str]) -> bool:
    """Whether an address is among those taken, where one may stand for all."""
    found = list(taken)
    return bool(found) and (address == ALL or ALL in found or address in found)


def conflict(wanted: Iterable[HostPort], taken: Iterable[HostPort]) -> bool:
    wanted = tuple(wanted)
    if not wanted:
        return False
    in_use: dict[tuple[str, int], list[str]] = {}
    for protocol, address, number in taken:
        in_use.setdefault((protocol, number), []).append(address)
    return any(overlap(address, in_use.get((protocol, number), ())) for protocol, address, number in wanted)
