"""How the kinds of networking.k8s.io print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.api.printing.network import load_balancer_addresses
from steersman.meta.objects import Object

INGRESS_COLUMNS = (
    cells.NAME,
    Column(
        "Class", description="The name of the IngressClass resource that should be used for additional configuration"
    ),
    Column("Hosts", description="Hosts that incoming requests are matched against before the ingress rule"),
    Column("Address", description="Address is a list containing ingress points for the load-balancer"),
    Column("Ports", description="Ports of TLS configurations that open"),
    cells.AGE,
)

INGRESS_CLASS_COLUMNS = (
    cells.NAME,
    Column("Controller", description="Controller that is responsible for handling this class"),
    Column("Parameters", description="A reference to a resource with additional parameters"),
    cells.AGE,
)

NETWORK_POLICY_COLUMNS = (cells.NAME, Column("Pod-Selector", field="spec.podSelector"), cells.AGE)

SERVICE_CIDR_COLUMNS = (cells.NAME, Column("CIDRs", field="spec.cidrs"), cells.AGE)

IP_ADDRESS_COLUMNS = (cells.NAME, Column("ParentRef", field="spec.parentRef"), cells.AGE)

_HOSTS_MAX = 3  # upstream lists three and counts the rest


def ingress(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        cells.name(obj),
        spec.get("ingressClassName") or cells.NONE,
        _hosts(spec.get("rules") or ()),
        ",".join(load_balancer_addresses(obj.get("status") or {})),
        "80, 443" if spec.get("tls") else "80",
        cells.age(obj, now),
    ]


def ingress_class(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [cells.name(obj), spec.get("controller", ""), _parameters(spec.get("parameters")), cells.age(obj, now)]


def network_policy(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), cells.selector((obj.get("spec") or {}).get("podSelector")), cells.age(obj, now)]


def service_cidr(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), ",".join((obj.get("spec") or {}).get("cidrs") or ()), cells.age(obj, now)]


def ip_address(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), _parent((obj.get("spec") or {}).get("parentRef")), cells.age(obj, now)]


def _hosts(rules: Any) -> str:
    named = [rule["host"] for rule in rules if rule.get("host")]
    shown = ",".join(named[:_HOSTS_MAX])
    if len(named) > _HOSTS_MAX:
        return f"{shown} + {len(rules) - _HOSTS_MAX} more..."
    return shown or "*"


def _parameters(parameters: Object | None) -> str:
    if not parameters:
        return cells.NONE
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
    return f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"


def _parent(parent: Object | None) -> str:
    if not parent:
        return cells.NONE
    resource = ".".join(text for text in (parent.get("resource", ""), parent.get("group")) if text).lower()
    return "/".join(text for text in (resource, parent.get("namespace"), parent.get("name", "")) if text)
