"""Whether an extension server can be asked. Pure.

Source: upstream's kube-aggregator, pkg/controllers/status.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api.registration import AVAILABLE
from steersman.meta import conditions
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`service` and `slices` are what is stored; `answer` is what went wrong when it was asked, "" for a good answer,
    None while it has not been asked."""

    api_service: Object
    service: Object | None
    slices: Sequence[Object]
    answer: str | None = None


def condition(seen: Seen) -> Object | None:
    """The condition to show; None when it has to be asked first."""
    reference = seen.api_service["spec"]["service"]
    name, namespace, port = reference["name"], reference["namespace"], reference.get("port") or 443
    called = f'service/{name} in "{namespace}"'
    if seen.service is None:
        return _unavailable("ServiceNotFound", f"{called} is not present")
    spec = seen.service.get("spec") or {}
    if spec.get("type", "ClusterIP") == "ClusterIP":
        found = next((one for one in spec.get("ports") or () if one.get("port") == port), None)
        if found is None:
            return _unavailable("ServicePortError", f"{called} is not listening on port {port}")
        if not seen.slices:
            return _unavailable("EndpointsNotFound", f"cannot find endpointslices for {called}")
        port_name = found.get("name") or ""
        if not any(_has_ready(one, port_name) for one in seen.slices):
            why = f'endpointslices for {called} have no addresses with port name "{port_name}"'
            return _unavailable("MissingEndpoints", why)
    if seen.answer is None:
        return None
    if seen.answer:
        return _unavailable("FailedDiscoveryCheck", seen.answer)
    return conditions.make(AVAILABLE, "True", "Passed", "all checks passed")


def with_condition(api_service: Object, shown: Object, now: datetime.datetime) -> Object | None:
    """The APIService with the condition; None when it has it already."""
    status = api_service.get("status") or {}
    changed = conditions.set(status.get("conditions") or (), shown, now)
    if changed == status.get("conditions"):
        return None
    return {**api_service, "status": {**status, "conditions": changed}}


def _unavailable(reason: str, message: str) -> Object:
    return conditions.make(AVAILABLE, "False", reason, message)


def _has_ready(found: Object, port_name: str) -> bool:
    if not any((one.get("name") or "") == port_name for one in found.get("ports") or ()):
        return False
    return any(
        one.get("addresses") and (one.get("conditions") or {}).get("ready", True)
        for one in found.get("endpoints") or ()
    )
