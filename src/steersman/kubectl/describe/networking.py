"""Service CIDRs and IP addresses."""

from steersman.kubectl.describe import events
from steersman.kubectl.describe.writing import Description, head, spec, status, timed_conditions
from steersman.meta.objects import Object


def service_cidr(d: Description, obj: Object) -> None:
    head(d, obj, namespace=False)
    d.row(0, "CIDRs:", ", ".join(spec(obj).get("cidrs") or ()))
    found = status(obj).get("conditions")
    if found:
        d.write(0, "Status:\n")
        timed_conditions(d, found)
    events.write(d)


def ip_address(d: Description, obj: Object) -> None:
    head(d, obj, namespace=False)
    parent = spec(obj).get("parentRef")
    if parent is not None:
        d.write(0, "Parent Reference:\n")
        for key in ("group", "resource", "namespace", "name"):
            d.row(1, f"{key.capitalize()}:", parent.get(key, ""))
    events.write(d)
