"""Namespaces, Nodes and PriorityClasses."""

import ipaddress

from steersman.api.validation import fields, metadata, scheduling
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

USER_PRIORITY_MAX = 1_000_000_000
SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


def validate_namespace(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old, namespaced=False, check=names.label_errors)
    return [*errors, *metadata.finalizers((new.get("spec") or {}).get("finalizers") or [], "spec.finalizers")]


def validate_node(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    errors += scheduling.validate_taints(spec.get("taints") or (), "spec.taints")
    for index, cidr in enumerate(spec.get("podCIDRs") or ()):
        if not _is_cidr(cidr):
            text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            errors.append(fields.invalid(f"spec.podCIDRs[{index}]", cidr, text))
    if old is not None:
        errors += _node_update(spec, old.get("spec") or {})
    return errors


def validate_priority_class(new: Object, old: Object | None) -> list[FieldError]:
    name, value = new["metadata"].get("name", ""), new.get("value", 0)
    errors = metadata.validate(new, old, namespaced=False)
    if name.startswith("system-"):
        if SYSTEM_CLASSES.get(name) != value:
            text = (
                "priority class names with 'system-' prefix are reserved for system use only. "
                f"error: {name} is not a known system priority class"
            )
            errors.append(fields.forbidden("metadata.name", text))
    elif value > USER_PRIORITY_MAX:
        text = f"maximum allowed value of a user defined priority is {USER_PRIORITY_MAX}"
        errors.append(fields.forbidden("value", text))
    errors += fields.check_one_of("preemptionPolicy", new.get("preemptionPolicy"), ("Never", "PreemptLowerPriority"))
    if old is not None:
        for field in ("value", "preemptionPolicy"):
            if new.get(field) != old.get(field):
                errors.append(fields.forbidden(field, "may not be changed in an update."))
    return errors


def _node_update(new: Object, old: Object) -> list[FieldError]:
    errors = []
    if old.get("podCIDRs") and new.get("podCIDRs") != old["podCIDRs"]:
        text = 'node updates may not change podCIDR except from "" to valid'
        errors.append(fields.forbidden("spec.podCIDRs", text))
    if old.get("providerID") and new.get("providerID") != old["providerID"]:
        text = 'node updates may not change providerID except from "" to valid'
        errors.append(fields.forbidden("spec.providerID", text))
    return errors


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text
