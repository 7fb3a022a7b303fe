"""What pods, claims and devices say about each other in dynamic resource allocation. Pure.

Source: KEP-4381 (structured parameters), upstream's dynamic-resource-allocation/cel.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from steersman.api.cel import types
from steersman.api.cel.environment import Environment, Program
from steersman.api.cel.library import quantities, versions
from steersman.api.cel.source import CompileError
from steersman.api.cel.values import CostExceeded, EvalError
from steersman.meta import objects
from steersman.meta.objects import Object

FINALIZER = "resource.kubernetes.io/delete-protection"
CLAIM_OF_POD = "resource.kubernetes.io/pod-claim-name"  # on claims made from a template: the name in the pod
EXTENDED = "<extended-resources>"
RESERVED_MAX = 256  # who may use one claim at a time
PROGRAMS_MAX = 1_000

DeviceId = tuple[str, str, str]
"""driver, pool, device."""

_OF_DOMAINS = {
    "attributes": types.map_of(types.STRING, types.map_of(types.STRING, types.DYN)),
    "capacity": types.map_of(types.STRING, types.map_of(types.STRING, types.opaque("kubernetes.Quantity"))),
}
_FIELDS = {"driver": types.STRING, "allowMultipleAllocations": types.BOOL, **_OF_DOMAINS}
_DEVICE = types.struct("kubernetes.DRADevice", lambda name: (_FIELDS[name], name) if name in _FIELDS else None)
_ENVIRONMENT = Environment({"device": _DEVICE})


def claim_names(pod: Object) -> Iterator[tuple[str, str]]:
    """Of each of the pod's claims its name in the pod and the ResourceClaim's, "" while that is not made yet.

    An entry whose template made no claim (its status says so with an empty name) is left out.
    """
    made = {one["name"]: one for one in (pod.get("status") or {}).get("resourceClaimStatuses") or ()}
    for entry in pod["spec"].get("resourceClaims") or ():
        if entry.get("resourceClaimName"):
            yield entry["name"], entry["resourceClaimName"]
        elif entry["name"] not in made:
            yield entry["name"], ""
        elif made[entry["name"]].get("resourceClaimName"):
            yield entry["name"], made[entry["name"]]["resourceClaimName"]


def all_claim_names(pod: Object) -> Iterator[tuple[str, str]]:
    """Also the claim that the scheduler made for the pod's extended resources; no claim of a pod can have its name there."""
    yield from claim_names(pod)
    name = extended(pod).get("resourceClaimName")
    if name:
        yield EXTENDED, name


def extended(pod: Object) -> Object:
    """What the pod's status says of that claim; empty where there is none."""
    return (pod.get("status") or {}).get("extendedResourceClaimStatus") or {}


def allocation(claim: Object) -> Object | None:
    found = (claim.get("status") or {}).get("allocation")
    return found if isinstance(found, dict) else None


def reserved_for(claim: Object) -> list[Object]:
    return list((claim.get("status") or {}).get("reservedFor") or ())


def is_reserved_for(claim: Object, pod: Object) -> bool:
    return any(one.get("uid") == objects.uid(pod) for one in reserved_for(claim))


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A device, or a share of one, that an allocation holds. `consumed` are amounts of its capacity by name."""

    id: DeviceId
    is_share: bool
    consumed: Mapping[str, object]


def held_by(found: Object) -> Iterator[Held]:
    """What an allocation keeps from others: not what it only looks at (admin access)."""
    for one in (found.get("devices") or {}).get("results") or ():
        if not one.get("adminAccess"):
            device = one["driver"], one["pool"], one["device"]
            yield Held(device, "shareID" in one, one.get("consumedCapacity") or {})


def drivers_of(found: Object) -> list[str]:
    """Of all devices of an allocation, in order."""
    return [*dict.fromkeys(one["driver"] for one in (found.get("devices") or {}).get("results") or ())]


@functools.lru_cache(PROGRAMS_MAX)
def program(expression: str) -> Program | str:
    """Ready to run, or why not."""
    try:
        return _ENVIRONMENT.compile(expression)
    except CompileError as wrong:
        return str(wrong)


class SelectorError(Exception):
    """A selector that cannot be compiled, or not be evaluated for a device. Its text is the user's."""


def matches(expression: str, driver: str, device: Object) -> bool:
    """Whether the selector holds. Raises SelectorError."""
    found = program(expression)
    if isinstance(found, str):
        raise SelectorError(f"CEL compile error: {found}")
    try:
        return found.run(_seen_by_expressions(driver, device)) is True
    except (EvalError, CostExceeded) as wrong:
        raise SelectorError(f"CEL runtime error: {wrong}") from wrong


def attribute(driver: str, device: Object, name: str) -> object:
    """The value of a qualified attribute; None where the device has none. Names without a domain are the driver's."""
    domain, _, short = name.rpartition("/")
    given = device.get("attributes") or {}
    found = given.get(name)
    if found is None and domain == driver:
        found = given.get(short)
    return None if found is None else next(iter(found.items()))


class _Domains(dict[str, Any]):
    """A domain that nobody mentions is there, and empty: then an attribute is missing, not its domain."""

    def __missing__(self, key: str) -> dict[str, Any]:
        return {}

    def __contains__(self, key: object) -> bool:
        return True


def _seen_by_expressions(driver: str, device: Object) -> dict[str, Any]:
    return {
        "driver": driver,
        "attributes": _by_domain(driver, {key: _value(one) for key, one in (device.get("attributes") or {}).items()}),
        "capacity": _by_domain(driver, {key: _amount(one) for key, one in (device.get("capacity") or {}).items()}),
        "allowMultipleAllocations": bool(device.get("allowMultipleAllocations")),
    }


def _by_domain(driver: str, named: Mapping[str, Any]) -> _Domains:
    found = _Domains()
    for name, value in named.items():
        domain, _, short = name.rpartition("/")
        found.setdefault(domain or driver, {})[short] = value
    return found


def _value(one: Object) -> Any:
    [(kind, value)] = one.items()
    return versions.parse(value) if kind == "version" else value


def _amount(one: Object) -> Any:
    return quantities.parse(str(one["value"]))
