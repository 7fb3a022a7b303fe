"""Gateways and their routes as rules for the proxy, and what their statuses must say. Pure.

Reads: GatewayClasses, Gateways, HTTPRoutes, ReferenceGrants (`Seen`), and through `Look` Services, EndpointSlices, Secrets.
Writes: rules, backends and certificates into `Wanted`; the statuses of what is ours.
Leaves to others: classes of other controllers, and what routes say of other controllers' Gateways.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence

from steersman.ingress.gateway import http_routes, listeners
from steersman.ingress.gateway.listeners import CONTROLLER, GROUP, Listener, Seen
from steersman.ingress.wanted import Look, Wanted
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

_FEATURES = (
    "Gateway",
    "GatewayPort8080",
    "HTTPRoute",
    "HTTPRouteBackendTimeout",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ReferenceGrant",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """What `obj`'s status must become."""

    obj: Object
    status: Object


def add(found: Wanted, seen: Seen, look: Look, address: str, now: datetime.datetime) -> list[Status]:
    """The statuses that are not as they should be."""
    ours = [one for one in seen.classes if one["spec"].get("controllerName") == CONTROLLER]
    names = {objects.name(one) for one in ours}
    gateways = [one for one in _oldest_first(seen.gateways) if one["spec"].get("gatewayClassName") in names]
    served = {objects.key(one): listeners.of_gateway(one, found, look, seen.grants) for one in gateways}
    wanted = [Status(one, _class_status(one, now)) for one in ours]
    for route in _oldest_first(seen.routes):
        attached = list(http_routes.attach(route, served, seen, look, found))
        wanted.append(Status(route, _route_status(route, attached, now)))
    # Only now is it known how many routes each listener has.
    wanted += [Status(one, _gateway_status(one, served[objects.key(one)], address, now)) for one in gateways]
    return [one for one in wanted if (one.obj.get("status") or {}) != one.status]


def _oldest_first(found: Iterable[Object]) -> list[Object]:
    living = (one for one in found if not objects.is_terminating(one))
    return sorted(living, key=lambda one: (one["metadata"].get("creationTimestamp", ""), objects.key(one)))


def _set(obj: Object, before: Sequence[Object], new: Iterable[Object], now: datetime.datetime) -> list[Object]:
    """`before` with the new conditions, each for the generation that was looked at; Gateway API wants every message said."""
    after = list(before)
    for one in new:
        stamped = {"message": "", **one, "observedGeneration": obj["metadata"].get("generation", 0)}
        after = conditions.set(after, stamped, now)
    return after


def _class_status(one: Object, now: datetime.datetime) -> Object:
    before = one.get("status") or {}
    accepted = conditions.make("Accepted", "True", "Accepted")
    features = [{"name": name} for name in _FEATURES]
    return {
        **before,
        "conditions": _set(one, before.get("conditions") or (), [accepted], now),
        "supportedFeatures": features,
    }


def _gateway_status(gateway: Object, served: Sequence[Listener], address: str, now: datetime.datetime) -> Object:
    before = gateway.get("status") or {}
    known = {one["name"]: one.get("conditions") or () for one in before.get("listeners") or ()}
    valid = all(listener.is_programmed for listener in served)
    accepted = conditions.make("Accepted", "True", "Accepted" if valid else "ListenersNotValid")
    programmed = conditions.make("Programmed", "True", "Programmed")
    if not any(listener.is_programmed for listener in served):
        accepted = conditions.make("Accepted", "False", "ListenersNotValid", "no listener can be served")
        programmed = conditions.make("Programmed", "False", "Invalid", "no listener can be served")
    return {
        "addresses": [{"type": "IPAddress", "value": address}],
        "conditions": _set(gateway, before.get("conditions") or (), [accepted, programmed], now),
        "listeners": [
            {
                "name": listener.spec["name"],
                "supportedKinds": [{"group": GROUP, "kind": "HTTPRoute"}] if _takes_routes(listener) else [],
                "attachedRoutes": len(listener.attached),
                "conditions": _set(gateway, known.get(listener.spec["name"], ()), listener.conditions(), now),
            }
            for listener in served
        ],
    }


def _takes_routes(listener: Listener) -> bool:
    kinds = (listener.spec.get("allowedRoutes") or {}).get("kinds")
    return not kinds or any(kind.get("kind") == "HTTPRoute" for kind in kinds)


def _route_status(route: Object, attached: Sequence[http_routes.Attachment], now: datetime.datetime) -> Object:
    """Parents of ours are replaced, those of others stay."""
    before = (route.get("status") or {}).get("parents") or ()
    mine = [one for one in before if one.get("controllerName") == CONTROLLER]
    parents = [one for one in before if one.get("controllerName") != CONTROLLER]
    for attachment in attached:
        known: Object = next((one for one in mine if one.get("parentRef") == attachment.parent), {})
        parents.append(
            {
                "parentRef": attachment.parent,
                "controllerName": CONTROLLER,
                "conditions": _set(route, known.get("conditions") or (), attachment.conditions, now),
            }
        )
    return {"parents": parents} if parents or before else (route.get("status") or {})
